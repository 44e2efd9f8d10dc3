// Tasks: how they are made, named and owned, and what their handles tell.
#include <array>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class TaskTest : public LoopTest {};

// ---- Starting -----------------------------------------------------------------------------------

TEST_F(TaskTest, BodyStartsThroughTheReadyQueueNeverInsideCreateTask) {
  run([] {
    bool ran = false;
    auto task = create_task([&] { ran = true; });
    EXPECT_FALSE(ran);
    EXPECT_EQ(TaskState::pending, task.state());
    await(task);
    EXPECT_TRUE(ran);
  });
}

TEST_F(TaskTest, StatesFollowTheBody) {
  run([] {
    Task<void> task;
    task = create_task([&] {
      EXPECT_EQ(TaskState::running, task.state());
      yield();
      EXPECT_EQ(TaskState::running, task.state());
    });
    EXPECT_EQ(TaskState::pending, task.state());
    EXPECT_FALSE(task.is_done());
    settle();
    EXPECT_EQ(TaskState::completed, task.state());
    EXPECT_TRUE(task.is_done());
  });
}

TEST_F(TaskTest, WithoutALoopCreateTaskThrowsAndTheBodyIsNotTouched) {
  bool ran = false;
  auto keep = std::make_unique<int>(7);
  auto body = [&ran, keep = std::move(keep)] { ran = true; };
  EXPECT_THROW(create_task(std::move(body)), NoRunningLoopError);
  EXPECT_FALSE(ran);
  loop();  // one that exists but does not run is not enough
  EXPECT_THROW(create_task([&] { ran = true; }), NoRunningLoopError);
  EXPECT_FALSE(ran);
}

TEST_F(TaskTest, LoopTakesTasksBeforeItRuns) {
  auto early = loop().create_task([] { return 5; }, "early");
  EXPECT_EQ(TaskState::pending, early.state());
  run([&] { EXPECT_EQ(5, await(early)); });
}

TEST_F(TaskTest, CallbackMayCreateTasks) {
  run([&] {
    Task<int> made;
    call_soon([&] { made = create_task([] { return 3; }); });
    settle();
    EXPECT_EQ(3, await(made));
  });
}

TEST_F(TaskTest, CreateTaskOnALoopOfAnotherThreadIsRefused) {
  EventLoop& mine = loop();
  run([] {});
  std::thread{[&] { EXPECT_THROW(mine.create_task([] {}), InvalidStateError); }}.join();
  EXPECT_EQ(0u, mine.statistics().tasks_alive);
}

TEST_F(TaskTest, OwnerMayEndBeforeTheTasksItCreated) {
  run([] {
    Task<int> inner;
    await(create_task([&] {
      inner = create_task([] {
        sleep(1s);
        return 4;
      });
    }));
    EXPECT_FALSE(inner.is_done());
    EXPECT_EQ(4, await(inner));
  });
}

TEST_F(TaskTest, EveryPriorityHasItsTurnSystemFirst) {
  keep_order();
  std::string order;
  run([&] {
    const auto make = [&](char letter, TaskPriority priority) {
      create_task(
          [&order, letter] {
            for (int i = 0; i < 2; ++i) {
              order += letter;
              yield();
            }
          },
          TaskOptions{.priority = priority});
    };
    make('w', TaskPriority::work);
    make('c', TaskPriority::control);
    make('s', TaskPriority::system);
    settle();
  });
  EXPECT_EQ("scwscw", order);
}

// ---- Names and identity -------------------------------------------------------------------------

TEST_F(TaskTest, EmptyNameBecomesTaskAndId) {
  run([] {
    auto nameless = create_task([] {});
    EXPECT_EQ("Task-" + std::to_string(nameless.id()), nameless.name());
    EXPECT_EQ("fetch", create_task([] {}, "fetch").name());
    EXPECT_EQ("store", create_task([] {}, TaskOptions{.name = "store"}).name());
    EXPECT_EQ("main", current_task().name());
  });
}

TEST_F(TaskTest, IdsAreUniqueAlsoAcrossLoops) {
  std::set<std::uint64_t> ids;
  for (int round = 0; round < 2; ++round) {
    run([&] {
      for (int i = 0; i < 50; ++i) EXPECT_TRUE(ids.insert(create_task([] {}).id()).second);
    });
    end_loop();
  }
  EXPECT_FALSE(ids.contains(0));
}

TEST_F(TaskTest, CurrentTaskIsTheOneTheCodeRunsIn) {
  run([] {
    const AnyTask main = current_task();
    Task<void> task;
    task = create_task([&] {
      EXPECT_EQ(task, current_task());
      yield();
      EXPECT_EQ(task, current_task());
      EXPECT_FALSE(main == current_task());
    });
    await(task);
    EXPECT_EQ(main, current_task());
  });
}

TEST_F(TaskTest, CurrentTaskOutsideATaskIsAnError) {
  EXPECT_THROW(current_task(), NotInTaskError);
  run([] {
    bool checked = false;
    call_soon([&] {
      EXPECT_THROW(current_task(), NotInTaskError);
      checked = true;
    });
    settle();
    EXPECT_TRUE(checked);
  });
}

TEST_F(TaskTest, EmptyHandleAnswersNothing) {
  const Task<int> none;
  EXPECT_FALSE(none.valid());
  EXPECT_THROW(none.id(), InvalidStateError);
  EXPECT_THROW(none.name(), InvalidStateError);
  EXPECT_THROW(none.state(), InvalidStateError);
  EXPECT_THROW(none.is_done(), InvalidStateError);
  EXPECT_THROW(none.result(), InvalidStateError);
  EXPECT_THROW(none.exception(), InvalidStateError);
  EXPECT_THROW(none.has_exception(), InvalidStateError);
  EXPECT_THROW(none.cancel(), InvalidStateError);
  EXPECT_THROW(none.add_done_callback([] {}), InvalidStateError);
  EXPECT_THROW(none.created_at(), InvalidStateError);
  EXPECT_THROW(none.duration(), InvalidStateError);
  EXPECT_THROW(none.stats(), InvalidStateError);
  EXPECT_THROW(none.wait_reason(), InvalidStateError);
  run([&] {
    EXPECT_THROW(await(none), InvalidStateError);
    EXPECT_THROW(await(static_cast<const AnyTask&>(none)), InvalidStateError);
  });
}

TEST_F(TaskTest, MovedFromHandleIsEmptyAndTheTaskGoesOn) {
  run([] {
    auto first = create_task([] {
      yield();
      return 1;
    });
    auto second = std::move(first);
    EXPECT_FALSE(first.valid());  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(1, await(second));
  });
}

TEST_F(TaskTest, UntypedHandleNamesTheSameTask) {
  run([] {
    auto task = create_task([] { return 1; });
    const AnyTask any = task;
    EXPECT_EQ(any, task);
    await(any);
    EXPECT_TRUE(task.is_done());
  });
}

// ---- Results ------------------------------------------------------------------------------------

TEST_F(TaskTest, ResultIsReachableWithoutWaitingOnceThereIsOne) {
  run([] {
    auto task = create_task([] { return std::string{"done"}; });
    EXPECT_THROW(task.result(), InvalidStateError);
    EXPECT_THROW(task.exception(), InvalidStateError);
    await(static_cast<const AnyTask&>(task));
    EXPECT_EQ("done", task.result());
    EXPECT_EQ(&task.result(), &task.result()) << "result() hands out the value, not a copy";
    EXPECT_EQ(nullptr, task.exception());
    EXPECT_FALSE(task.has_exception());
  });
}

TEST_F(TaskTest, ResultOfAFailedTaskRethrows) {
  run([] {
    auto task = create_task([]() -> int { throw std::out_of_range("far"); });
    settle();
    EXPECT_EQ(TaskState::failed, task.state());
    EXPECT_TRUE(task.has_exception());
    EXPECT_THROW(task.result(), std::out_of_range);
    ASSERT_NE(nullptr, task.exception());
    EXPECT_THROW(std::rethrow_exception(task.exception()), std::out_of_range);
  });
}

TEST_F(TaskTest, AwaitOfAnLvalueCopiesAndOfAnRvalueMoves) {
  run([] {
    auto task = create_task([] { return std::string(100, 'x'); });
    EXPECT_EQ(std::string(100, 'x'), await(task));
    EXPECT_EQ(std::string(100, 'x'), await(task)) << "the first await took nothing away";
    const auto other = task;
    EXPECT_EQ(std::string(100, 'x'), await(std::move(task)));
    EXPECT_EQ("", other.result()) << "a std::string that was moved out of";
  });
}

TEST_F(TaskTest, MoveOnlyResult) {
  run([] {
    auto task = create_task([] { return std::make_unique<int>(42); });
    const std::unique_ptr<int> value = await(std::move(task));
    ASSERT_NE(nullptr, value);
    EXPECT_EQ(42, *value);
  });
}

TEST_F(TaskTest, VoidResult) {
  run([] {
    auto task = create_task([] {});
    static_assert(std::is_same_v<Task<void>, decltype(task)>);
    await(task);
    task.result();
    await(std::move(task));
  });
}

TEST_F(TaskTest, ReferenceResultIsTheObjectItself) {
  run([] {
    int place = 1;
    auto task = create_task([&]() -> int& { return place; });
    static_assert(std::is_same_v<Task<int&>, decltype(task)>);
    await(task) = 2;
    EXPECT_EQ(2, place);
    EXPECT_EQ(&place, &task.result());
    EXPECT_EQ(&place, &await(std::move(task)));
    const int constant = 3;
    EXPECT_EQ(&constant, &await(create_task([&]() -> const int& { return constant; })));
  });
}

TEST_F(TaskTest, ResultWithoutADefaultConstructor) {
  struct Celsius {
    explicit Celsius(double value) : degrees(value) {}
    Celsius(const Celsius&) = default;
    double degrees;
  };
  run([] { EXPECT_EQ(21.5, await(create_task([] { return Celsius{21.5}; })).degrees); });
}

TEST_F(TaskTest, ConstResult) {
  run([] {
    const auto task = create_task([]() -> const std::string { return "fixed"; });
    EXPECT_EQ("fixed", await(task));
  });
}

TEST_F(TaskTest, ResultIsBuiltInPlaceEvenIfItCannotBeMoved) {
  struct Pinned {
    explicit Pinned(int v) : value(v) {}
    Pinned(const Pinned&) = delete;
    int value;
  };
  run([] {
    auto task = create_task([] { return Pinned{9}; });
    await(static_cast<const AnyTask&>(task));
    EXPECT_EQ(9, task.result().value);
  });
}

TEST_F(TaskTest, RunHandsOverEveryKindOfResult) {
  int place = 0;
  EXPECT_EQ(3, *run([] { return std::make_unique<int>(3); }));
  EXPECT_EQ(&place, &run([&]() -> int& { return place; }));
  EXPECT_EQ("text", run([] { return std::string{"text"}; }));
  run([] {});
}

// Counts how many of it live.
struct Counted {
  explicit Counted(int& living) : count(&living) { ++*count; }
  Counted(const Counted& other) : count(other.count) { ++*count; }
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --*count; }
  int* count;
};

TEST_F(TaskTest, ResultLivesExactlyAsLongAsAHandle) {
  int living = 0;
  run([&] {
    auto task = create_task([&] { return Counted{living}; });
    auto copy = task;
    settle();
    EXPECT_EQ(1, living);
    task = {};
    EXPECT_EQ(1, living);
    copy = {};
    EXPECT_EQ(0, living);
  });
}

TEST_F(TaskTest, ResultNobodyCanReachGoesWhenTheTaskEnds) {
  int living = 0;
  int most = 0;
  run([&] {
    create_task([&] {
      Counted result{living};
      most = living;
      return result;
    });
    settle();
    EXPECT_EQ(1, most);
    EXPECT_EQ(0, living);
  });
}

TEST_F(TaskTest, ResultOutlivesTheLoopWithItsHandle) {
  int living = 0;
  Task<Counted> task;
  run([&] {
    task = create_task([&] { return Counted{living}; }, "kept");
    await(static_cast<const AnyTask&>(task));
  });
  end_loop();
  EXPECT_EQ(1, living);
  EXPECT_EQ(TaskState::completed, task.state());
  EXPECT_EQ("kept", task.name());
  EXPECT_EQ(&living, task.result().count);
  EXPECT_FALSE(task.cancel());
  EXPECT_EQ("done", task.wait_reason());
  task = {};
  EXPECT_EQ(0, living);
}

TEST_F(TaskTest, FailureOutlivesTheLoopWithItsHandle) {
  Task<void> task;
  run([&] {
    task = create_task([] { throw std::runtime_error("late"); });
    EXPECT_THROW(await(task), std::runtime_error);
  });
  end_loop();
  EXPECT_EQ(TaskState::failed, task.state());
  EXPECT_THROW(task.result(), std::runtime_error);
}

// ---- Closures -----------------------------------------------------------------------------------

// What a closure holds: notes where and how often it is destroyed.
struct ClosureProbe {
  struct Log {
    int destroyed = 0;
    std::string where;
  };
  explicit ClosureProbe(Log& target) : log(&target) {}
  ClosureProbe(ClosureProbe&& other) noexcept : log(std::exchange(other.log, nullptr)) {}
  ClosureProbe& operator=(ClosureProbe&&) = delete;
  ~ClosureProbe() {
    if (log == nullptr) return;
    ++log->destroyed;
    const detail::TaskControl* task = detail::current_task_control();
    log->where = task == nullptr ? "outside" : task->display_name();
  }
  Log* log;
};

TEST_F(TaskTest, Hazard6_ClosureIsDestroyedOnceInsideTheTaskWhenTheBodyReturns) {
  ClosureProbe::Log log;
  run([&] {
    auto task = create_task([probe = ClosureProbe{log}] { yield(); }, "owner");
    settle();
    EXPECT_EQ(1, log.destroyed) << "although a handle to the task lives";
    EXPECT_EQ("owner", log.where);
  });
  EXPECT_EQ(1, log.destroyed);
}

TEST_F(TaskTest, Hazard6_ClosureIsDestroyedOnceInsideTheTaskWhenTheBodyThrows) {
  ClosureProbe::Log log;
  run([&] {
    auto task =
        create_task([probe = ClosureProbe{log}] { throw std::runtime_error("x"); }, "owner");
    EXPECT_THROW(await(task), std::runtime_error);
    EXPECT_EQ(1, log.destroyed);
    EXPECT_EQ("owner", log.where);
  });
}

TEST_F(TaskTest, BigClosureIsMovedToTheHeapAndTreatedAlike) {
  ClosureProbe::Log log;
  run([&] {
    std::array<char, 100'000> block{};
    block.back() = 'z';
    auto task = create_task([block, probe = ClosureProbe{log}] { return block.back(); }, "big");
    static_assert(sizeof(block) > detail::largest_closure_on_stack);
    EXPECT_EQ('z', await(task));
    EXPECT_EQ(1, log.destroyed);
    EXPECT_EQ("big", log.where);
    EXPECT_LT(task.stats().stack_used, 50'000u);
  });
}

TEST_F(TaskTest, OverAlignedClosureIsAligned) {
  struct alignas(256) Wide {
    char bytes[256];
  };
  run([] {
    for (int i = 0; i < 8; ++i) {
      const Wide wide{};
      EXPECT_EQ(0u, await(create_task([wide, i] {
                  return reinterpret_cast<std::uintptr_t>(&wide) % 256 + (i < 0 ? 1u : 0u);
                })));
    }
  });
}

TEST_F(TaskTest, LvalueBodyIsCopied) {
  run([] {
    int calls = 0;
    auto body = [&calls, mine = 0]() mutable {
      ++calls;
      return ++mine;
    };
    EXPECT_EQ(1, await(create_task(body)));
    EXPECT_EQ(1, await(create_task(body))) << "each task works on its own copy";
    EXPECT_EQ(2, calls);
  });
}

int seven() { return 7; }

TEST_F(TaskTest, BodyMayBeAnyCallable) {
  run([] {
    EXPECT_EQ(7, await(create_task(&seven)));
    EXPECT_EQ(7, await(create_task(seven)));
    std::function<int()> function = [] { return 8; };
    EXPECT_EQ(8, await(create_task(function)));
    EXPECT_EQ(8, await(create_task(std::ref(function))));
    EXPECT_EQ(9, await(create_task(std::bind([](int x) { return x; }, 9))));
  });
}

TEST_F(TaskTest, ClosureThatCannotBeCopiedLeavesNoTaskBehind) {
  struct Fragile {
    Fragile() = default;
    Fragile(const Fragile&) { throw std::runtime_error("cannot be copied today"); }
    void operator()() const { ADD_FAILURE() << "must not run"; }
  };
  run([&] {
    const LoopStatistics before = loop().statistics();
    const Fragile fragile;
    EXPECT_THROW(create_task(fragile), std::runtime_error);
    const LoopStatistics after = loop().statistics();
    EXPECT_EQ(before.tasks_alive, after.tasks_alive);
    EXPECT_EQ(before.tasks_created, after.tasks_created);
    EXPECT_EQ(before.stacks_free, after.stacks_free) << "its stack has been given back";
    await(create_task([] {}));
  });
}

// ---- Stacks -------------------------------------------------------------------------------------

TEST_F(TaskTest, StackSizeIsTheTasksOwnChoice) {
  run([] {
    auto usual = create_task([] {});
    auto small = create_task([] {}, TaskOptions{.stack_size = 20'000});
    auto large = create_task([] {}, TaskOptions{.stack_size = 8 << 20});
    EXPECT_EQ(20'480u, small.stats().stack_size) << "rounded up to pages";
    EXPECT_EQ(8u << 20, large.stats().stack_size);
    EXPECT_GE(usual.stats().stack_size, 64u << 10);
    settle();
    EXPECT_EQ(0u, large.stats().stack_size) << "given back";
  });
}

// Touches `bytes` of stack.
[[gnu::noinline]] int deep(std::size_t bytes) {
  volatile char block[4096];
  for (volatile char& byte : block) byte = static_cast<char>(bytes);
  return bytes > sizeof block ? deep(bytes - sizeof block) + block[0] : block[0];
}

TEST_F(TaskTest, LargeStackHoldsWhatTheUsualOneCannot) {
  run([] {
    auto task = create_task(
        [] {
          deep(4 << 20);
          EXPECT_GE(current_task().stats().stack_used, 4u << 20);
        },
        TaskOptions{.stack_size = 16 << 20});
    await(task);
  });
}

TEST_F(TaskTest, StackThatNoAddressSpaceCanHoldIsAnError) {
  run([&] {
    for (const std::size_t size :
         {std::size_t{1} << 47, std::size_t{1} << 60, std::size_t{1} << 63, ~std::size_t{0}}) {
      EXPECT_THROW(create_task([] {}, TaskOptions{.stack_size = size}), Error) << size;
    }
    EXPECT_EQ(1u, loop().statistics().tasks_alive);
    await(create_task([] {}));
  });
}

}  // namespace
}  // namespace asyncio::test
