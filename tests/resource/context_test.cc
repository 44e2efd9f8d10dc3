// Context: what a task inherits, what stays its own, and what inheriting costs.
#include <any>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/scale.h>

namespace {

// What the whole program allocated and has not freed: inheriting is promised to cost nothing.
std::atomic<long> allocations{0};
std::atomic<long> living_allocations{0};

}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  ++living_allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc{};
}
void operator delete(void* memory) noexcept {
  if (memory == nullptr) return;
  --living_allocations;
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class ContextTest : public LoopTest {};

// Tells how often it was copied; moves are free.
struct Counted {
  explicit Counted(int& counter) : copies(&counter) {}
  Counted(const Counted& other) : copies(other.copies) { ++*copies; }
  Counted(Counted&&) noexcept = default;
  int* copies;
};

// ---- Setting and getting ------------------------------------------------------------------------

TEST_F(ContextTest, GivesWhatWasSetAndElseTheFallback) {
  run([] {
    set_context("user", 7);
    EXPECT_EQ(7, get_context<int>("user"));
    EXPECT_EQ(7, get_context("user", 8));
    EXPECT_EQ(8, get_context("nobody", 8));
    set_context("text", "set");
    EXPECT_EQ("set", get_context("text", "fallback"));
    EXPECT_EQ("fallback", get_context("nobody", "fallback"));
    EXPECT_EQ(0, get_context<int>("nobody"));
    EXPECT_EQ("", get_context<std::string>("nobody"));
    set_context("user", 9);
    EXPECT_EQ(9, get_context<int>("user"));
    EXPECT_TRUE(has_context("user"));
    EXPECT_FALSE(has_context("nobody"));
  });
}

TEST_F(ContextTest, TextIsHeldAsAString) {
  run([] {
    const char* pointer = "by pointer";
    char array[] = "by array";
    set_context("literal", "x");
    set_context("view", std::string_view{"by view"});
    set_context("pointer", pointer);
    set_context("array", array);
    set_context("string", std::string{"s"});
    array[0] = '?';
    EXPECT_EQ("x", get_context<std::string>("literal"));
    EXPECT_EQ("by view", get_context<std::string>("view"));
    EXPECT_EQ("by pointer", get_context<std::string>("pointer"));
    EXPECT_EQ("by array", get_context<std::string>("array"));
    EXPECT_EQ("s", get_context<std::string>("string"));
  });
}

TEST_F(ContextTest, AnAnyIsTakenAndGivenAsItIs) {
  run([] {
    std::any value{5};
    set_context("any", value);
    EXPECT_EQ(5, get_context<int>("any"));
    EXPECT_EQ(5, std::any_cast<int>(get_context<std::any>("any")));
    set_context("any", std::any{std::string{"moved"}});
    EXPECT_EQ("moved", get_context<std::string>("any"));
  });
}

TEST_F(ContextTest, AnyCopyableTypeWillDo) {
  run([] {
    const auto shared = std::make_shared<int>(3);
    set_context("shared", shared);
    EXPECT_EQ(shared, get_context<std::shared_ptr<int>>("shared"));
    set_context("vector", std::vector{1, 2});
    EXPECT_EQ((std::vector{1, 2}), get_context<std::vector<int>>("vector"));
    set_context("function", std::function<int()>{[] { return 4; }});
    EXPECT_EQ(4, get_context<std::function<int()>>("function")());
  });
}

TEST_F(ContextTest, AnyTextIsAKey) {
  run([] {
    const std::string with_zero{"a\0b", 3};
    set_context("", 1);
    set_context(with_zero, 2);
    EXPECT_EQ(1, get_context<int>(""));
    EXPECT_EQ(2, get_context<int>(with_zero));
    EXPECT_FALSE(has_context("a"));
  });
}

TEST_F(ContextTest, S49_AValueThatIsNothingIsAValue) {
  run([] {
    set_context("empty", std::any{});
    EXPECT_TRUE(has_context("empty"));
    EXPECT_FALSE(get_context<std::any>("empty", std::any{1}).has_value());
    EXPECT_THROW(get_context<int>("empty"), std::bad_any_cast);
    set_context("null", nullptr);
    EXPECT_TRUE(has_context("null"));
    EXPECT_EQ(nullptr, get_context<std::nullptr_t>("null"));
    set_context("none", std::optional<int>{});
    EXPECT_EQ(std::nullopt, get_context<std::optional<int>>("none", 5));
    EXPECT_EQ(3u, get_all_context().size());
  });
}

// ---- Errors -------------------------------------------------------------------------------------

TEST_F(ContextTest, AnotherTypeIsABadAnyCastThatNamesTheKeyAndBothTypes) {
  run([] {
    set_context("user", "nobody");
    const std::string said = message_of<std::bad_any_cast>([] { get_context<int>("user"); });
    EXPECT_TRUE(contains(said, "get_context")) << said;
    EXPECT_TRUE(contains(said, "'user'")) << said;
    EXPECT_TRUE(contains(said, "std::")) << "readable: " << said;
    EXPECT_TRUE(contains(said, "string")) << said;
    EXPECT_TRUE(contains(said, "not int")) << said;
    EXPECT_TRUE(contains(said, "ask for")) << said;
    EXPECT_THROW(get_context("user", 1), ContextTypeError) << "a fallback is no way out";
    EXPECT_EQ("nobody", get_context<std::string>("user"));
  });
}

TEST_F(ContextTest, ANullPointerForTextIsAnErrorThatNamesTheKey) {
  run([] {
    const char* nothing = nullptr;
    const std::string said =
        message_of<std::invalid_argument>([&] { set_context("user", nothing); });
    EXPECT_TRUE(contains(said, "set_context")) << said;
    EXPECT_TRUE(contains(said, "'user'")) << said;
    EXPECT_FALSE(has_context("user"));
  });
}

TEST_F(ContextTest, OutsideATaskEveryCallIsAnErrorThatNamesItAndTheWayOut) {
  const ContextVar<int> var{"var"};
  const std::map<std::string, std::function<void()>> calls{
      {"set_context", [] { set_context("key", 1); }},
      {"get_context", [] { get_context<int>("key"); }},
      {"has_context", [] { has_context("key"); }},
      {"delete_context", [] { delete_context("key"); }},
      {"get_all_context", [] { get_all_context(); }},
      {"clear_context", [] { clear_context(); }},
      {"ContextVar::get", [&] { var.get(); }},
      {"ContextVar::set", [&] { var.set(1); }},
  };
  const auto check = [&] {
    for (const auto& [name, call] : calls) {
      const std::string said = message_of<NotInTaskError>(call);
      EXPECT_TRUE(said.starts_with(name)) << said;
      EXPECT_TRUE(contains(said, "create_task")) << said;
    }
  };
  check();
  std::optional<ContextVar<int>::Token> token;
  run([&] {
    token = var.set(1);
    bool called = false;
    call_soon([&] {
      check();
      called = true;
    });
    std::thread{check}.join();
    settle();
    EXPECT_TRUE(called);
  });
  const std::string said = message_of<NotInTaskError>([&] { var.reset(*token); });
  EXPECT_TRUE(said.starts_with("ContextVar::reset")) << said;
}

// ---- Inheriting ---------------------------------------------------------------------------------

TEST_F(ContextTest, S49_AChildsWritesNeverReachTheParent) {
  run([] {
    set_context("key", 1);
    await(create_task([] {
      EXPECT_EQ(1, get_context<int>("key"));
      set_context("key", 2);
      set_context("new", 3);
      EXPECT_EQ(2, get_context<int>("key"));
    }));
    EXPECT_EQ(1, get_context<int>("key"));
    EXPECT_FALSE(has_context("new"));
    await(create_task([] { clear_context(); }));
    await(create_task([] { delete_context("key"); }));
    EXPECT_EQ(1, get_context<int>("key"));
  });
}

TEST_F(ContextTest, S49_TheParentsLaterWritesNeverReachTheChild) {
  run([] {
    set_context("key", 1);
    set_context("gone", 1);
    Event go;
    const auto look = [&] {
      go.wait();
      EXPECT_EQ(1, get_context<int>("key"));
      EXPECT_TRUE(has_context("gone"));
      EXPECT_FALSE(has_context("new"));
      EXPECT_EQ(2u, get_all_context().size());
    };
    auto started = create_task(look);
    settle();
    auto not_started = create_task(look);
    set_context("key", 2);
    set_context("new", 3);
    delete_context("gone");
    go.set();
    await(not_started);
    await(started);
    clear_context();
    EXPECT_FALSE(has_context("key"));
  });
}

TEST_F(ContextTest, S49_AClearOfTheParentLeavesTheChildWhatItInherited) {
  run([] {
    set_context("key", 1);
    auto child = create_task([] { return get_context<int>("key"); });
    clear_context();
    auto later = create_task([] { return has_context("key"); });
    EXPECT_EQ(1, await(child));
    EXPECT_FALSE(await(later));
  });
}

TEST_F(ContextTest, S49_SiblingsDoNotSeeEachOther) {
  run([] {
    set_context("key", 0);
    std::vector<Task<int>> tasks;
    for (int i = 1; i <= 5; ++i) {
      tasks.push_back(create_task([i] {
        yield();
        set_context("key", get_context<int>("key") + i);
        yield();
        return get_context<int>("key");
      }));
    }
    EXPECT_EQ((std::vector{1, 2, 3, 4, 5}), gather(tasks));
    EXPECT_EQ(0, get_context<int>("key"));
  });
}

TEST_F(ContextTest, S49_ThreeGenerations) {
  run([] {
    set_context("first", 1);
    set_context("all", 1);
    await(create_task([] {
      set_context("second", 2);
      set_context("all", 2);
      await(create_task([] {
        set_context("all", 3);
        EXPECT_EQ(1, get_context<int>("first"));
        EXPECT_EQ(2, get_context<int>("second"));
        EXPECT_EQ(3, get_context<int>("all"));
        EXPECT_EQ(3u, get_all_context().size());
        EXPECT_EQ(1u, get_all_context(false).size());
      }));
      EXPECT_EQ(2, get_context<int>("all"));
    }));
    EXPECT_EQ(1, get_context<int>("all"));
  });
}

TEST_F(ContextTest, S49_AGenerationThatSetsNothingHandsOnWhatItHas) {
  run([] {
    set_context("key", 1);
    await(create_task([] {
      await(create_task([] {
        EXPECT_EQ(1, get_context<int>("key"));
        EXPECT_TRUE(get_all_context(false).empty());
        set_context("key", 2);
        delete_context("key");
        EXPECT_EQ(1, get_context<int>("key"));
      }));
      EXPECT_EQ(1, get_context<int>("key"));
    }));
  });
}

TEST_F(ContextTest, S49_AMakerAndItsChildThatHaveSetNothingYetWriteApart) {
  run([] {
    set_context("key", 1);
    await(create_task([] {
      Event go;
      auto child = create_task([&] {
        go.wait();
        const int seen = get_context<int>("key");
        set_context("key", 30);
        return seen;
      });
      set_context("key", 20);
      go.set();
      EXPECT_EQ(1, await(child));
      EXPECT_EQ(20, get_context<int>("key"));
    }));
    EXPECT_EQ(1, get_context<int>("key"));
  });
}

TEST_F(ContextTest, S49_GetAllEqualsGetForEveryKey) {
  run([] {
    for (int i = 0; i < 10; ++i) set_context("parent" + std::to_string(i), i);
    await(create_task([] {
      for (int i = 5; i < 15; ++i) set_context("parent" + std::to_string(i), 100 + i);
      delete_context("parent7");
      const std::map<std::string, std::any> all = get_all_context();
      EXPECT_EQ(15u, all.size());
      for (const auto& [key, value] : all) {
        EXPECT_EQ(get_context<int>(key), std::any_cast<int>(value)) << key;
      }
      EXPECT_EQ(9u, get_all_context(false).size());
    }));
  });
}

TEST_F(ContextTest, GetAllIsACopy) {
  run([] {
    set_context("key", 1);
    auto all = get_all_context();
    all["key"] = 2;
    all["new"] = 3;
    EXPECT_EQ(1, get_context<int>("key"));
    EXPECT_FALSE(has_context("new"));
  });
}

TEST_F(ContextTest, WithoutAnythingSetThereIsNothing) {
  run([] {
    EXPECT_TRUE(get_all_context().empty());
    EXPECT_TRUE(get_all_context(false).empty());
    delete_context("key");
    clear_context();
    EXPECT_FALSE(has_context("key"));
  });
}

TEST_F(ContextTest, DeleteDropsTheOwnValueAndShowsTheInheritedOne) {
  run([] {
    set_context("key", 1);
    await(create_task([] {
      delete_context("key");
      EXPECT_EQ(1, get_context<int>("key")) << "an inherited value is not the task's to delete";
      set_context("key", 2);
      delete_context("key");
      EXPECT_EQ(1, get_context<int>("key"));
      set_context("own", 3);
      delete_context("own");
      delete_context("own");
      EXPECT_FALSE(has_context("own"));
    }));
    delete_context("key");
    EXPECT_FALSE(has_context("key"));
  });
}

TEST_F(ContextTest, ClearDropsOwnAndInheritedAndSettingGoesOn) {
  run([] {
    set_context("key", 1);
    await(create_task([] {
      set_context("own", 2);
      clear_context();
      EXPECT_TRUE(get_all_context().empty());
      set_context("new", 3);
      EXPECT_EQ(1u, get_all_context().size());
      delete_context("new");
      EXPECT_TRUE(get_all_context().empty()) << "what was cleared does not come back";
    }));
  });
}

TEST_F(ContextTest, EveryWayToStartATaskInherits) {
  run([] {
    set_context("key", 1);
    const auto get = [] { return get_context<int>("key"); };
    EXPECT_EQ(1, await(create_task(get)));
    EXPECT_EQ(1, await(get_event_loop().create_task(get)));
    EXPECT_EQ(1, wait_for(get, 1s));
    EXPECT_EQ(1, timeout(1s, get));
    EXPECT_EQ(1, shield(get));
    TaskGroup group;
    auto child = group.spawn(get);
    group.wait_all();
    EXPECT_EQ(1, child.result());
  });
}

TEST_F(ContextTest, S49_WhatATaskSendsToAThreadInheritsAndWritesApart) {
  run([] {
    set_context("key", "outer");
    const ContextVar<int> level{"level"};
    level.set(1);
    const std::string seen = to_thread([&] {
      const auto before = level.set(2);
      std::string text = get_context("key", "nothing") + std::to_string(level.get());
      level.reset(before);
      set_context("key", "inner");
      delete_context("level");
      return text + get_context("key", "nothing") + std::to_string(level.get());
    });
    EXPECT_EQ("outer2inner1", seen);
    EXPECT_EQ("outer", get_context("key", "nothing"));
    EXPECT_EQ("outer", to_thread([] { return get_context("key", "nothing"); }))
        << "a thread keeps nothing for the next";
    EXPECT_EQ(2u, to_thread(abandon, [] { return get_all_context().size(); }));
    clear_context();
    EXPECT_FALSE(to_thread([] { return has_context("key"); }));
    to_thread([] { set_context("key", 1); });
    EXPECT_FALSE(has_context("key"));
  });
}

TEST_F(ContextTest, S49_ATokenIsGoodOnTheThreadWhereItWasMadeAlone) {
  run([] {
    const ContextVar<int> level{"level"};
    const auto here = level.set(1);
    const auto there = to_thread([&] {
      EXPECT_THROW(level.reset(here), InvalidStateError);
      return level.set(2);
    });
    EXPECT_THROW(level.reset(there), InvalidStateError);
    to_thread([&] { EXPECT_THROW(level.reset(there), InvalidStateError); });
    level.reset(here);
  });
}

TEST_F(ContextTest, S49_TheTaskMayGoOnWritingWhileAnAbandonedThreadReads) {
  const auto may_read = std::make_shared<std::promise<void>>();
  const auto seen = std::make_shared<std::promise<std::string>>();
  run([&] {
    set_context("key", "before");
    auto task = create_task([&] {
      to_thread(abandon, [may_read, seen] {
        may_read->get_future().wait();
        seen->set_value(get_context("key", "nothing"));
      });
    });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    set_context("key", "after");
    may_read->set_value();
    EXPECT_EQ("before", to_thread([&] { return seen->get_future().get(); }));
    EXPECT_EQ("after", get_context("key", "nothing"));
  });
}

TEST_F(ContextTest, ATaskThatACallbackStartsInheritsNothing) {
  run([] {
    set_context("key", 1);
    Task<bool> task;
    call_soon([&] { task = create_task([] { return has_context("key"); }); });
    settle();
    EXPECT_FALSE(await(task));
  });
}

TEST_F(ContextTest, TheMakersContextIsInheritedNotTheOwnersOfTheScope) {
  run([] {
    TaskGroup group;
    set_context("who", "owner");
    Task<std::string> grandchild;
    group.spawn([&] {
      set_context("who", "maker");
      grandchild = group.spawn([] { return get_context<std::string>("who"); });
    });
    group.wait_all();
    EXPECT_EQ("maker", grandchild.result());
  });
}

TEST_F(ContextTest, S42_ARunStartsWithNothing) {
  run([] { set_context("key", 1); });
  run([] { EXPECT_TRUE(get_all_context().empty()); });
}

TEST_F(ContextTest, L39_LoopsInTwoThreadsShareNothing) {
  run([] {
    set_context("key", 1);
    std::thread{[] {
      asyncio::run([] {
        EXPECT_FALSE(has_context("key"));
        set_context("key", 2);
      });
    }}.join();
    EXPECT_EQ(1, get_context<int>("key"));
  });
}

TEST_F(ContextTest, C30_ACleanupOfACancelledTaskStillHasItsContext) {
  run([] {
    int seen = 0;
    auto task = create_task([&] {
      set_context("key", 1);
      struct OnUnwind {
        int& seen;
        ~OnUnwind() {
          set_context("key", get_context<int>("key") + 1);
          seen = get_context<int>("key");
        }
      } cleanup{seen};
      sleep(1h);
    });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ(2, seen);
  });
}

TEST_F(ContextTest, ValuesGoWithTheLastTaskThatHasThem) {
  run([] {
    auto value = std::make_shared<int>(1);
    const std::weak_ptr<int> watch = value;
    Event go;
    auto parent = create_task([&] {
      set_context("value", std::exchange(value, nullptr));
      return create_task([&] { go.wait(); });
    });
    auto child = await(parent);
    EXPECT_FALSE(watch.expired()) << "the child has inherited it";
    go.set();
    await(child);
    EXPECT_TRUE(watch.expired()) << "handles of ended tasks hold no context";
  });
}

TEST_F(ContextTest, AValueThatUsesTheContextWhileItIsDroppedDoesNoHarm) {
  struct Meddler {
    ~Meddler() { set_context("trace", get_context<int>("trace") + 1); }
  };
  run([] {
    set_context("trace", 0);
    set_context("value", std::make_shared<Meddler>());
    set_context("value", 1);
    EXPECT_EQ(1, get_context<int>("trace"));
    set_context("value", std::make_shared<Meddler>());
    delete_context("value");
    EXPECT_EQ(2, get_context<int>("trace"));
    set_context("value", std::make_shared<Meddler>());
    clear_context();
    EXPECT_EQ(1u, get_all_context().size()) << "what it set came after the clear";
  });
}

// ---- What it costs ------------------------------------------------------------------------------

// Allocations of one create_task() here.
long cost_of_a_task() {
  const long before = allocations;
  auto task = create_task([] {});
  const long cost = allocations - before;
  await(task);
  return cost;
}

TEST_F(ContextTest, S49_InheritingCopiesNoValueHoweverManyThereAre) {
  run([] {
    int copies = 0;
    for (int i = 0; i < 1'000; ++i) {
      set_context(std::to_string(i), std::any{std::in_place_type<Counted>, copies});
    }
    EXPECT_EQ(0, copies);
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 100; ++i) {
      tasks.push_back(create_task([] {
        EXPECT_TRUE(has_context("999"));
        set_context("own", 1);
        await(create_task([] { EXPECT_TRUE(has_context("own")); }));
      }));
      set_context("round", i);  // after each snapshot the parent writes again
    }
    gather(tasks);
    EXPECT_EQ(0, copies);
    EXPECT_EQ(&copies, get_context<Counted>("1", Counted{copies}).copies);
    EXPECT_EQ(1, copies) << "only who asks for a value gets a copy";
  });
}

TEST_F(ContextTest, S49_InheritingAllocatesNothing) {
  run([] {
    cost_of_a_task();  // the first one maps a stack
    const long bare = cost_of_a_task();
    for (int i = 0; i < 1'000; ++i) set_context(std::to_string(i), i);
    cost_of_a_task();  // the first one after a write makes the snapshot
    EXPECT_EQ(bare, cost_of_a_task());
    await(create_task([bare] {
      EXPECT_EQ(bare, cost_of_a_task()) << "nor in a task that only hands it on";
      EXPECT_EQ(bare, cost_of_a_task());
    }));
  });
}

TEST_F(ContextTest, S49_ASnapshotCostsTheSameInEveryGeneration) {
  run([] {
    cost_of_a_task();  // the first one maps a stack
    const long bare = cost_of_a_task();
    for (int i = 0; i < 1'000; ++i) set_context(std::to_string(i), i);
    std::function<void(int)> generation = [&](int n) {
      set_context("generation", n);
      cost_of_a_task();  // may map a stack, for so many tasks live at once
      set_context("generation", n);
      EXPECT_LE(cost_of_a_task(), bare + 4) << "generation " << n;
      if (n < 60) await(create_task([&generation, n] { generation(n + 1); }));
    };
    generation(1);
  });
}

TEST_F(ContextTest, S49_AChainOfManyGenerationsIsNoChain) {
  const int count = static_cast<int>(scaled(20'000));
  run([&] {
    set_context("first", 1);
    int last = 0;
    Event done;
    std::function<void(int)> generation = [&](int n) {
      set_context("generation", n);
      if (n < count) {
        create_task([&generation, n] { generation(n + 1); });
        return;
      }
      EXPECT_EQ(1, get_context<int>("first"));
      EXPECT_EQ(2u, get_all_context().size());
      last = get_context<int>("generation");
      done.set();
    };
    create_task([&] { generation(1); });
    done.wait();
    EXPECT_EQ(count, last);
  });
}

TEST_F(ContextTest, S49_C55_VeryManyTasksLeaveNothingBehind) {
  const std::size_t rounds = scaled(100'000);
  run([&] {
    set_context("key", 1);
    const auto body = [] { set_context("own", get_context<int>("key")); };
    for (int i = 0; i < 100; ++i) await(create_task(body));
    const long before = living_allocations;
    for (std::size_t i = 0; i < rounds; ++i) {
      set_context("round", i);
      auto task = create_task(body);
      if (i % 2 == 0) {
        await(task);
      } else {
        task.cancel();
        EXPECT_THROW(await(task), TaskCancelledException);
      }
    }
    EXPECT_LT(living_allocations - before, 50);
  });
}

// ---- ContextVar ---------------------------------------------------------------------------------

TEST_F(ContextTest, AVariableHasAFallbackAndAValuePerTask) {
  const ContextVar<std::string> user{"user", "nobody"};
  EXPECT_EQ("user", user.name());
  run([&] {
    EXPECT_EQ("nobody", user.get());
    user.set("ann");
    EXPECT_EQ("ann", user.get());
    await(create_task([&] {
      EXPECT_EQ("ann", user.get());
      user.set("bob");
      EXPECT_EQ("bob", user.get());
    }));
    EXPECT_EQ("ann", user.get());
  });
}

TEST_F(ContextTest, AVariableIsTheSameStore) {
  const ContextVar<int> var{"var"};
  run([&] {
    var.set(1);
    EXPECT_EQ(1, get_context<int>("var"));
    set_context("var", 2);
    EXPECT_EQ(2, var.get());
    set_context("var", "text");
    EXPECT_THROW(var.get(), ContextTypeError);
  });
}

TEST_F(ContextTest, ResetPutsBackWhatWasThere) {
  const ContextVar<int> var{"var", -1};
  run([&] {
    const auto first = var.set(1);
    const auto second = var.set(2);
    var.reset(second);
    EXPECT_EQ(1, var.get());
    var.reset(first);
    EXPECT_EQ(-1, var.get());
    EXPECT_FALSE(has_context("var"));
  });
}

TEST_F(ContextTest, ResetShowsAnInheritedValueAgain) {
  const ContextVar<int> var{"var", -1};
  run([&] {
    var.set(1);
    await(create_task([&] {
      const auto token = var.set(2);
      var.reset(token);
      EXPECT_EQ(1, var.get());
      EXPECT_TRUE(get_all_context(false).empty());
    }));
  });
}

TEST_F(ContextTest, ATokenIsGoodOnceInItsTaskAndForItsVariable) {
  const ContextVar<int> var{"var"};
  const ContextVar<int> other{"other"};
  run([&] {
    const auto token = var.set(1);
    std::string said = message_of<std::invalid_argument>([&] { other.reset(token); });
    EXPECT_TRUE(contains(said, "ContextVar::reset of 'other'")) << said;
    EXPECT_TRUE(contains(said, "'var'")) << said;
    await(create_task([&] {
      said = message_of<InvalidStateError>([&] { var.reset(token); });
      EXPECT_TRUE(contains(said, "another task")) << said;
    }));
    EXPECT_EQ(1, var.get()) << "a refused token changes nothing";
    var.reset(token);
    said = message_of<InvalidStateError>([&] { var.reset(token); });
    EXPECT_TRUE(contains(said, "'var'")) << said;
    EXPECT_TRUE(contains(said, "used")) << said;
  });
}

// Suspends when it goes, and notes in which task that was.
struct Farewell {
  explicit Farewell(std::vector<std::string>& shared_log) : log(shared_log) {}
  Farewell(const Farewell&) = delete;
  Farewell& operator=(const Farewell&) = delete;
  std::vector<std::string>& log;
  ~Farewell() {
    yield();
    log.push_back(current_task().name());
  }
};

TEST_F(ContextTest, ItsValuesGoInsideTheTaskBeforeItHasEnded) {
  std::vector<std::string> log;
  run([&] {
    for (const bool cancelled : {false, true}) {
      auto task = create_task(
          [&] {
            set_context("farewell", std::make_shared<Farewell>(log));
            if (cancelled) current_task().cancel();
          },
          "owner");
      task.add_done_callback([&] { log.push_back("done"); });
      await(task);
      settle();
    }
  });
  EXPECT_EQ((std::vector<std::string>{"owner", "done", "owner", "done"}), log);
}

}  // namespace
}  // namespace asyncio::test
