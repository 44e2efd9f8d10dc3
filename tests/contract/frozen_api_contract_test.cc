// The 22 frozen APIs: names, signatures and result types, checked by the compiler, and one use of
// each.  If this file does not compile, a promise to users has been broken: mend the change, not
// the file.
#include <any>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class FrozenApiContractTest : public LoopTest {};

using IntBody = int (*)();
using VoidBody = void (*)();
using MoveOnlyBody = std::unique_ptr<int> (*)();
using ReferenceBody = int& (*)();

template <class T>
using Own = std::remove_cvref_t<T>;

// ---- EventLoopInterface -------------------------------------------------------------------------

static_assert(std::is_abstract_v<EventLoopInterface>);
static_assert(std::has_virtual_destructor_v<EventLoopInterface>);
static_assert(!std::is_copy_constructible_v<EventLoopInterface>);
static_assert(std::same_as<std::string_view (EventLoopInterface::*)() const noexcept,
                           decltype(&EventLoopInterface::type)>);
static_assert(std::same_as<void (EventLoopInterface::*)(), decltype(&EventLoopInterface::run)>);
static_assert(std::same_as<void (EventLoopInterface::*)(), decltype(&EventLoopInterface::stop)>);
static_assert(
    std::same_as<bool (EventLoopInterface::*)(TimerId), decltype(&EventLoopInterface::del_timer)>);
template <class Interval>
concept TimersTake = requires(EventLoopInterface& loop, Interval interval) {
  {
    loop.add_timer(interval, [] {})
    } -> std::same_as<TimerId>;
  {
    loop.add_timer(
        interval, [] {}, false)
    } -> std::same_as<TimerId>;
};
static_assert(TimersTake<std::chrono::milliseconds> && TimersTake<double>);
static_assert(std::is_nothrow_default_constructible_v<TimerId>);

// ---- TaskState ----------------------------------------------------------------------------------

static_assert(std::is_enum_v<TaskState>);
static_assert(!std::is_convertible_v<TaskState, int>, "an enum class");
static_assert(static_cast<int>(TaskState::pending) == 0);
static_assert(static_cast<int>(TaskState::running) == 1);
static_assert(static_cast<int>(TaskState::completed) == 2);
static_assert(static_cast<int>(TaskState::failed) == 3);
static_assert(static_cast<int>(TaskState::cancelled) == 4);

// ---- CancellationScope --------------------------------------------------------------------------

static_assert(std::is_constructible_v<CancellationScope, ScopeOptions>);
static_assert(std::is_default_constructible_v<CancellationScope>);
static_assert(!std::is_copy_constructible_v<CancellationScope>);
static_assert(std::same_as<CancellationScope* (*)(), decltype(&CancellationScope::current)>);
static_assert(std::same_as<void (CancellationScope::*)(std::string_view),
                           decltype(&CancellationScope::cancel)>);
static_assert(std::same_as<bool (CancellationScope::*)() const noexcept,
                           decltype(&CancellationScope::cancel_called)>);
static_assert(std::same_as<bool (CancellationScope::*)() const noexcept,
                           decltype(&CancellationScope::is_cancelled)>);
static_assert(std::same_as<bool (CancellationScope::*)() const noexcept,
                           decltype(&CancellationScope::cancelled_caught)>);
static_assert(std::same_as<std::optional<TimePoint> (CancellationScope::*)() const noexcept,
                           decltype(&CancellationScope::deadline)>);
static_assert(std::same_as<void (CancellationScope::*)(std::optional<TimePoint>),
                           decltype(&CancellationScope::set_deadline)>);
static_assert(std::same_as<bool (CancellationScope::*)() const noexcept,
                           decltype(&CancellationScope::shield)>);
static_assert(std::invocable<decltype(&CancellationScope::set_shield), CancellationScope&, bool>);
static_assert(std::same_as<std::vector<AnyTask> (CancellationScope::*)() const,
                           decltype(&CancellationScope::tasks)>);
template <class Body, class Ran, class Tried>
concept ScopeRuns = requires(Body body, CancellationScope& scope) {
  { CancellationScope::run(body) } -> std::same_as<Ran>;
  { CancellationScope::run(body, ScopeOptions{}) } -> std::same_as<Ran>;
  { CancellationScope::try_run(body) } -> std::same_as<Tried>;
  { CancellationScope::try_run(body, ScopeOptions{}) } -> std::same_as<Tried>;
  { scope.enter(body) } -> std::same_as<Tried>;
};
static_assert(ScopeRuns<IntBody, int, std::optional<int>>);
static_assert(ScopeRuns<VoidBody, void, bool>);
static_assert(ScopeRuns<int (*)(CancellationScope&), int, std::optional<int>>);
static_assert(ScopeRuns<void (*)(CancellationScope&), void, bool>);
static_assert(requires(ScopeOptions options) {
  { options.timeout } -> std::same_as<std::optional<Duration>&>;
  { options.deadline } -> std::same_as<std::optional<TimePoint>&>;
  { options.shield } -> std::same_as<bool&>;
  { options.name } -> std::same_as<std::string&>;
});

// ---- TaskGroup ----------------------------------------------------------------------------------

static_assert(std::is_default_constructible_v<TaskGroup>);
static_assert(!std::is_copy_constructible_v<TaskGroup>);
static_assert(std::same_as<void (TaskGroup::*)(), decltype(&TaskGroup::wait_all)>);
static_assert(std::same_as<void (TaskGroup::*)(std::string_view), decltype(&TaskGroup::cancel)>);
static_assert(std::same_as<void (TaskGroup::*)() noexcept, decltype(&TaskGroup::close)>);
static_assert(
    std::same_as<std::size_t (TaskGroup::*)() const noexcept, decltype(&TaskGroup::task_count)>);
static_assert(
    std::same_as<std::vector<AnyTask> (TaskGroup::*)() const, decltype(&TaskGroup::tasks)>);
static_assert(std::same_as<bool (TaskGroup::*)() const noexcept, decltype(&TaskGroup::is_closed)>);
static_assert(
    std::same_as<bool (TaskGroup::*)() const noexcept, decltype(&TaskGroup::is_cancelled)>);
template <class Body, class R>
concept GroupSpawns = requires(TaskGroup& group, Body body) {
  { group.spawn(body) } -> std::same_as<Task<R>>;
  { group.spawn(body, "name") } -> std::same_as<Task<R>>;
};
static_assert(GroupSpawns<IntBody, int> && GroupSpawns<VoidBody, void>);
static_assert(requires(int (*body)(TaskGroup&), void (*action)(TaskGroup&)) {
  { TaskGroup::run(body) } -> std::same_as<int>;
  { TaskGroup::run(action) } -> std::same_as<void>;
});

// ---- GatherStrategy -----------------------------------------------------------------------------

static_assert(std::is_enum_v<GatherStrategy>);
static_assert(!std::is_convertible_v<GatherStrategy, int>, "an enum class");
static_assert(static_cast<int>(GatherStrategy::fail_fast) == 0);
static_assert(static_cast<int>(GatherStrategy::wait_all) == 1);
static_assert(static_cast<int>(GatherStrategy::return_partial) == 2);

// ---- AsyncResource ------------------------------------------------------------------------------

static_assert(std::is_abstract_v<AsyncResource>);
static_assert(std::has_virtual_destructor_v<AsyncResource>);
static_assert(std::same_as<void (AsyncResource::*)(), decltype(&AsyncResource::close)>);
static_assert(
    std::same_as<bool (AsyncResource::*)() const noexcept, decltype(&AsyncResource::is_closed)>);
static_assert(
    std::same_as<void (AsyncResource::*)() noexcept, decltype(&AsyncResource::on_cancellation)>);

// All a resource must have; `override` has the compiler check that each is virtual.
class Handle final : public AsyncResource {
 public:
  void close() override { closed_ = true; }
  bool is_closed() const noexcept override { return closed_; }
  void on_cancellation() noexcept override { warned = true; }
  bool warned = false;

 private:
  bool closed_ = false;
};

// ---- AsyncResourceManager -----------------------------------------------------------------------

static_assert(
    std::same_as<void (*)(std::shared_ptr<AsyncResource>), decltype(&AsyncResourceManager::add)>);
static_assert(std::same_as<bool (*)(const std::shared_ptr<AsyncResource>&),
                           decltype(&AsyncResourceManager::remove)>);
static_assert(std::same_as<std::size_t (*)(CancellationScope&),
                           decltype(&AsyncResourceManager::close_scope)>);
static_assert(std::same_as<std::size_t (*)(const CancellationScope&),
                           decltype(&AsyncResourceManager::resource_count)>);
static_assert(std::same_as<ResourceStats (*)(), decltype(&AsyncResourceManager::stats)>);
static_assert(std::same_as<std::vector<std::shared_ptr<AsyncResource>> (*)(),
                           decltype(&AsyncResourceManager::detect_leaks)>);

// ---- Observer -----------------------------------------------------------------------------------

static_assert(!std::is_abstract_v<Observer>, "every callback has a default");
static_assert(std::has_virtual_destructor_v<Observer>);
static_assert(
    std::same_as<void (Observer::*)(const TaskEvent&), decltype(&Observer::on_task_event)>);
static_assert(
    std::same_as<void (Observer::*)(const ScopeEvent&), decltype(&Observer::on_scope_event)>);
static_assert(
    std::same_as<void (Observer::*)(const ResourceEvent&), decltype(&Observer::on_resource_event)>);
static_assert(std::same_as<TaskEvent::Type TaskEvent::*, decltype(&TaskEvent::type)>);
static_assert(std::same_as<AnyTask TaskEvent::*, decltype(&TaskEvent::task)>);
static_assert(std::same_as<std::exception_ptr TaskEvent::*, decltype(&TaskEvent::exception)>);
static_assert(std::same_as<TimePoint TaskEvent::*, decltype(&TaskEvent::time)>);
static_assert(static_cast<int>(TaskEvent::Type::created) == 0);
static_assert(static_cast<int>(TaskEvent::Type::started) == 1);
static_assert(static_cast<int>(TaskEvent::Type::completed) == 2);
static_assert(static_cast<int>(TaskEvent::Type::failed) == 3);
static_assert(static_cast<int>(TaskEvent::Type::cancelled) == 4);

class Watcher final : public Observer {
 public:
  void on_task_event(const TaskEvent& event) override {
    if (event.type == TaskEvent::Type::created) ++tasks;
  }
  void on_scope_event(const ScopeEvent&) override {}
  void on_resource_event(const ResourceEvent&) override {}
  int tasks = 0;
};

// ---- run, create_task, await --------------------------------------------------------------------

template <class Body, class R>
concept Runs = requires(Body body) {
  { asyncio::run(body) } -> std::same_as<R>;
  { asyncio::run(body, RunOptions{}) } -> std::same_as<R>;
};
static_assert(Runs<IntBody, int> && Runs<VoidBody, void>);
static_assert(Runs<MoveOnlyBody, std::unique_ptr<int>> && Runs<ReferenceBody, int&>);
template <class Body>
concept MayRun = requires(Body body) {
  asyncio::run(body);
};
static_assert(MayRun<VoidBody> && !MayRun<void (*)(int)>);
static_assert(requires(RunOptions options) {
  { options.backend } -> std::same_as<std::string&>;
  { options.stack_size } -> std::same_as<std::size_t&>;
  { options.debug } -> std::same_as<bool&>;
});

template <class Body, class R>
concept Starts = requires(Body body, std::string_view name) {
  { create_task(body) } -> std::same_as<Task<R>>;
  { create_task(body, name) } -> std::same_as<Task<R>>;
  { create_task(body, "name") } -> std::same_as<Task<R>>;
  { create_task(body, TaskOptions{}) } -> std::same_as<Task<R>>;
};
static_assert(Starts<IntBody, int> && Starts<VoidBody, void>);
static_assert(Starts<MoveOnlyBody, std::unique_ptr<int>> && Starts<ReferenceBody, int&>);
template <class Body>
concept MayStart = requires(Body body) {
  create_task(body);
};
static_assert(MayStart<VoidBody> && !MayStart<void (*)(int)>);

template <class T>
concept Awaits = requires(const Task<T>& kept, Task<T>&& given) {
  { await(kept) } -> std::same_as<T>;
  { await(std::move(given)) } -> std::same_as<T>;
};
static_assert(Awaits<int> && Awaits<void> && Awaits<int&> && Awaits<std::string>);
static_assert(requires(Task<std::unique_ptr<int>> && task) {
  { await(std::move(task)) } -> std::same_as<std::unique_ptr<int>>;
});
static_assert(std::is_copy_constructible_v<Task<int>> && std::is_copy_assignable_v<Task<int>>);
static_assert(std::is_convertible_v<Task<int>, AnyTask>);

// ---- gather -------------------------------------------------------------------------------------

using Number = Task<int>;
using Nothing = Task<void>;
static_assert(requires(Number number, Nothing nothing, std::vector<Number> numbers) {
  { gather() } -> std::same_as<std::tuple<>>;
  { gather(number, nothing) } -> std::same_as<std::tuple<int, std::monostate>>;
  { gather<GatherStrategy::fail_fast>(number) } -> std::same_as<std::tuple<int>>;
  { gather<GatherStrategy::wait_all>(number) } -> std::same_as<std::tuple<int>>;
  {
    gather<GatherStrategy::return_partial>(number, nothing)
    } -> std::same_as<std::tuple<std::optional<int>, std::optional<std::monostate>>>;
  { gather(numbers) } -> std::same_as<std::vector<int>>;
  { gather<GatherStrategy::wait_all>(numbers) } -> std::same_as<std::vector<int>>;
  {
    gather<GatherStrategy::return_partial>(numbers)
    } -> std::same_as<std::vector<std::optional<int>>>;
});
static_assert(requires(std::vector<Nothing> tasks) {
  { gather(tasks) } -> std::same_as<std::vector<std::monostate>>;
});

// ---- wait_for, sleep ----------------------------------------------------------------------------

template <class A, class R>
concept WaitsFor = requires(A what, std::chrono::seconds seconds, double number) {
  requires std::same_as<R, Own<decltype(wait_for(what, seconds))>>;
  requires std::same_as<R, Own<decltype(wait_for(what, number))>>;
};
static_assert(WaitsFor<Number, int> && WaitsFor<Nothing, void>);
static_assert(WaitsFor<IntBody, int> && WaitsFor<VoidBody, void>);

template <class D>
concept Sleeps = requires(D delay) {
  { asyncio::sleep(delay) } -> std::same_as<void>;
};
static_assert(Sleeps<std::chrono::nanoseconds> && Sleeps<std::chrono::hours> && Sleeps<double>);
static_assert(Sleeps<std::chrono::duration<double>> && Sleeps<int>);
static_assert(!Sleeps<const char*>);

// ---- get_event_loop, semaphore ------------------------------------------------------------------

static_assert(std::same_as<EventLoop&(), decltype(get_event_loop)>);
static_assert(std::same_as<Semaphore(int), decltype(semaphore)>);

// ---- The context functions ----------------------------------------------------------------------

static_assert(requires(void (*function)(std::string_view, std::any)) { function = &set_context; });
template <class T>
concept ContextTakes = requires(T value) {
  { set_context("key", value) } -> std::same_as<void>;
};
static_assert(ContextTakes<int> && ContextTakes<const char*> && ContextTakes<std::string>);
static_assert(ContextTakes<std::any> && ContextTakes<std::vector<int>>);
static_assert(std::same_as<int(std::string_view, int), decltype(get_context<int>)>);
static_assert(
    std::same_as<std::string(std::string_view, std::string), decltype(get_context<std::string>)>);
static_assert(requires {
  { get_context<int>("key") } -> std::same_as<int>;
  { get_context("key", 1) } -> std::same_as<int>;
});
static_assert(std::same_as<bool(std::string_view), decltype(has_context)>);
static_assert(std::same_as<void(std::string_view), decltype(delete_context)>);
static_assert(std::same_as<std::map<std::string, std::any>(bool), decltype(get_all_context)>);
static_assert(requires { get_all_context(); });
static_assert(std::same_as<void(), decltype(clear_context)>);

// ---- One use of each ----------------------------------------------------------------------------

TEST_F(FrozenApiContractTest, EventLoopInterface) {
  const std::unique_ptr<EventLoopInterface> backend = make_backend("auto");
  EXPECT_FALSE(backend->type().empty());
  int fired = 0;
  const TimerId id = backend->add_timer(0.001, [&] {
    if (++fired == 2) backend->stop();
  });
  backend->run();
  EXPECT_EQ(2, fired) << "persistent, unless told otherwise";
  EXPECT_TRUE(backend->del_timer(id));
  EXPECT_FALSE(backend->del_timer(TimerId{}));
}

TEST_F(FrozenApiContractTest, TaskState) {
  EXPECT_EQ("pending", to_string(TaskState::pending));
  EXPECT_EQ("cancelled", to_string(TaskState::cancelled));
  run([] {
    auto task = create_task([] {});
    EXPECT_EQ(TaskState::pending, task.state());
    await(task);
    EXPECT_EQ(TaskState::completed, task.state());
  });
}

TEST_F(FrozenApiContractTest, CancellationScope) {
  run([] {
    EXPECT_EQ(1, CancellationScope::run([] { return 1; }));
    EXPECT_FALSE(CancellationScope::try_run([](CancellationScope& scope) {
      EXPECT_EQ(&scope, CancellationScope::current());
      scope.cancel("enough");
      sleep(1h);
    }));
    EXPECT_THROW(CancellationScope::run([] { sleep(1h); }, {.timeout = 1s}), TimeoutException);
  });
}

TEST_F(FrozenApiContractTest, TaskGroup) {
  run([] {
    TaskGroup group;
    auto task = group.spawn([] { return 1; }, "child");
    EXPECT_EQ(1u, group.task_count());
    group.wait_all();
    EXPECT_EQ(1, task.result());
    EXPECT_TRUE(group.is_closed());
    EXPECT_EQ(2, TaskGroup::run([](TaskGroup&) { return 2; }));
  });
}

TEST_F(FrozenApiContractTest, GatherStrategy) {
  EXPECT_EQ("fail_fast", to_string(GatherStrategy::fail_fast));
  EXPECT_EQ("wait_all", to_string(GatherStrategy::wait_all));
  EXPECT_EQ("return_partial", to_string(GatherStrategy::return_partial));
}

TEST_F(FrozenApiContractTest, AsyncResourceAndAsyncResourceManager) {
  run([] {
    const ResourceStats before = AsyncResourceManager::stats();
    auto handle = std::make_shared<Handle>();
    CancellationScope::try_run([&](CancellationScope& scope) {
      AsyncResourceManager::add(handle);
      EXPECT_EQ(1u, AsyncResourceManager::resource_count(scope));
      EXPECT_TRUE(AsyncResourceManager::remove(handle));
      AsyncResourceManager::add(handle);
      scope.cancel();
    });
    EXPECT_TRUE(handle->warned);
    EXPECT_TRUE(handle->is_closed());
    EXPECT_EQ(0u, AsyncResourceManager::close_scope(*CancellationScope::current()));
    EXPECT_EQ(before.added + 2, AsyncResourceManager::stats().added);
    EXPECT_TRUE(AsyncResourceManager::detect_leaks().empty());
  });
}

TEST_F(FrozenApiContractTest, Observer) {
  auto watcher = std::make_shared<Watcher>();
  Observable::instance().add_observer(watcher);
  run([] {});
  EXPECT_TRUE(Observable::instance().remove_observer(watcher));
  EXPECT_EQ(1, watcher->tasks);
}

TEST_F(FrozenApiContractTest, Run) {
  EXPECT_EQ(1, asyncio::run([] { return 1; }));
  RunOptions by_name;
  by_name.backend = available_backends().front();
  EXPECT_EQ(2, asyncio::run([] { return 2; }, by_name));
  EXPECT_EQ("main", asyncio::run([] { return current_task().name(); }));
}

TEST_F(FrozenApiContractTest, CreateTaskAndAwait) {
  EXPECT_THROW(create_task([] {}), NoRunningLoopError);
  run([] {
    bool ran = false;
    auto task = create_task(
        [&] {
          ran = true;
          return std::string{"result"};
        },
        "named");
    EXPECT_FALSE(ran) << "through the ready queue, never inside the call";
    EXPECT_EQ("named", task.name());
    EXPECT_EQ("result", await(task));
    EXPECT_EQ("result", await(task)) << "a copy";
    EXPECT_EQ(1, *await(create_task([] { return std::make_unique<int>(1); })));
    const auto unnamed = create_task([] {});
    EXPECT_EQ("Task-" + std::to_string(unnamed.id()), unnamed.name());
  });
}

TEST_F(FrozenApiContractTest, Gather) {
  run([] {
    EXPECT_EQ(std::tuple<>{}, gather());
    auto [number, text] =
        gather(create_task([] { return 1; }), create_task([] { return std::string{"a"}; }));
    EXPECT_EQ(1, number);
    EXPECT_EQ("a", text);
    auto failing = create_task([]() -> int { throw std::runtime_error("no luck"); });
    EXPECT_THROW(gather(failing), GatherException) << "fail_fast is the default";
    EXPECT_EQ(std::nullopt, std::get<0>(gather<GatherStrategy::return_partial>(create_task(
                                []() -> int { throw std::runtime_error("no luck"); }))));
  });
  EXPECT_EQ(1u, reports.size()) << "return_partial reports instead of throwing";
  reports.clear();
}

TEST_F(FrozenApiContractTest, WaitFor) {
  run([] {
    EXPECT_EQ(1, wait_for([] { return 1; }, 1s));
    EXPECT_EQ(2, wait_for(create_task([] { return 2; }), 1.0));
    EXPECT_THROW(wait_for([] { sleep(1h); }, 0.5), TimeoutException);
  });
}

TEST_F(FrozenApiContractTest, Sleep) {
  run([&] {
    sleep(1500ms);
    sleep(0.5);
    EXPECT_EQ(2s, elapsed());
    sleep(0);
    sleep(-1);
    EXPECT_EQ(2s, elapsed());
  });
}

TEST_F(FrozenApiContractTest, GetEventLoop) {
  EXPECT_THROW(get_event_loop(), NoRunningLoopError);
  run([&] { EXPECT_EQ(&loop(), &get_event_loop()); });
}

TEST_F(FrozenApiContractTest, Semaphore) {
  run([] {
    auto gate = semaphore(2);
    EXPECT_EQ(2, gate.max());
    gate.acquire();
    EXPECT_EQ(1, gate.available());
    gate.release();
  });
  EXPECT_THROW(semaphore(0), std::invalid_argument);
}

TEST_F(FrozenApiContractTest, Context) {
  run([] {
    set_context("user", "ann");
    EXPECT_TRUE(has_context("user"));
    EXPECT_EQ("ann", get_context<std::string>("user"));
    EXPECT_EQ(7, get_context("missing", 7));
    await(create_task([] {
      EXPECT_EQ(1u, get_all_context().size());
      EXPECT_TRUE(get_all_context(false).empty());
      set_context("user", "bob");
      delete_context("user");
      EXPECT_EQ("ann", get_context<std::string>("user"));
      clear_context();
      EXPECT_FALSE(has_context("user"));
    }));
    EXPECT_TRUE(has_context("user"));
  });
}

}  // namespace
}  // namespace asyncio::test
