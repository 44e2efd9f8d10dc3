// What goes wrong when C++ code is moved onto stacks of its own, and must not here.
//
// docs/semantics.md lists the hazards by their numbers.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cfenv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <ostream>
#include <streambuf>
#include <string>
#include <thread>
#include <vector>

#include <execinfo.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/core/internal/memory/stack_pool.h>
#include <asyncio/tests/support/bare_waiter.h>
#include <asyncio/tests/support/finally.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/readable.h>
#include <asyncio/tests/support/scale.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class FiberHazardsTest : public LoopTest {};

std::string caught_text() {
  try {
    throw;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "something else";
  }
}

// ---- 1: the C++ runtime keeps the exception state per thread ------------------------------------

TEST_F(FiberHazardsTest, Hazard1_TasksSuspendedInsideCatchEachRethrowTheirOwn) {
  run([] {
    Sequencer order;
    auto first = create_task([&] {
      try {
        order.step(0);
        throw std::runtime_error("first's");
      } catch (...) {
        order.step(2);  // the other one is inside its catch by now
        EXPECT_EQ("first's", caught_text());
        order.step(4);
        throw;
      }
    });
    auto second = create_task([&] {
      try {
        order.step(1);
        throw std::runtime_error("second's");
      } catch (...) {
        order.step(3);
        EXPECT_EQ("second's", caught_text());
        order.step(5);  // first has left its catch block before us: not in the order of entering
        throw;
      }
    });
    try {
      await(first);
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ("first's", error.what());
    }
    try {
      await(second);
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ("second's", error.what());
    }
    EXPECT_EQ(nullptr, std::current_exception());
    EXPECT_EQ(0, std::uncaught_exceptions());
  });
}

TEST_F(FiberHazardsTest, Hazard1_LeavingCatchBlocksInCrossedOrder) {
  // Entered 0, 1; left 0, 1: on one shared stack of caught exceptions 0 would take 1's away.
  run([] {
    Sequencer order;
    std::vector<Task<std::string>> tasks;
    for (int i = 0; i < 2; ++i) {
      tasks.push_back(create_task([&, i]() -> std::string {
        try {
          order.step(i);
          throw std::runtime_error(std::to_string(i));
        } catch (const std::runtime_error& error) {
          order.step(2 + i);
          return error.what();  // read after the other has left
        }
      }));
    }
    EXPECT_EQ("0", await(tasks[0]));
    EXPECT_EQ("1", await(tasks[1]));
  });
}

TEST_F(FiberHazardsTest, Hazard1_NestedCatchBlocks) {
  run([] {
    const auto body = [](const std::string& name) {
      return [name] {
        try {
          throw std::runtime_error(name + " outer");
        } catch (...) {
          yield();
          try {
            yield();
            throw std::logic_error(name + " inner");
          } catch (...) {
            yield();
            EXPECT_EQ(name + " inner", caught_text());
            yield();
          }
          yield();
          EXPECT_EQ(name + " outer", caught_text());
        }
        yield();
        EXPECT_EQ(nullptr, std::current_exception());
      };
    };
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 5; ++i) tasks.push_back(create_task(body("task " + std::to_string(i))));
    for (auto& task : tasks) await(task);
  });
}

TEST_F(FiberHazardsTest, Hazard1_AThousandTasksInterleavedInCatchBlocksAndUnwinding) {
  const int count = under_valgrind() ? 100 : 1000;
  run([&] {
    std::vector<Task<void>> tasks;
    int finished = 0;
    for (int i = 0; i < count; ++i) {
      tasks.push_back(create_task([&, i] {
        const std::string mine = std::to_string(i);
        for (int round = 0; round < 3; ++round) {
          try {
            Finally suspended{[&] {
              EXPECT_EQ(1, std::uncaught_exceptions());
              for (int turn = 0; turn < i % 3; ++turn) yield();
              EXPECT_EQ(1, std::uncaught_exceptions());
            }};
            throw std::runtime_error(mine);
          } catch (const std::runtime_error& error) {
            EXPECT_EQ(0, std::uncaught_exceptions());
            for (int turn = 0; turn < i % 5; ++turn) yield();
            EXPECT_EQ(mine, error.what());
            EXPECT_EQ(mine, caught_text());
            const std::exception_ptr kept = std::current_exception();
            yield();
            EXPECT_EQ(kept, std::current_exception());
          }
          EXPECT_EQ(nullptr, std::current_exception());
        }
        ++finished;
      }));
    }
    for (auto& task : tasks) await(task);
    EXPECT_EQ(count, finished);
  });
}

TEST_F(FiberHazardsTest, Hazard1_FreshTaskSeesNoneOfItsMakersExceptions) {
  run([] {
    try {
      Finally making{[] {
        EXPECT_EQ(1, std::uncaught_exceptions());
        await(create_task([] {
          EXPECT_EQ(0, std::uncaught_exceptions());
          EXPECT_EQ(nullptr, std::current_exception());
          EXPECT_THROW(throw std::runtime_error("own"), std::runtime_error);
        }));
        EXPECT_EQ(1, std::uncaught_exceptions());
      }};
      throw std::runtime_error("maker's");
    } catch (const std::runtime_error&) {
      await(create_task([] { EXPECT_EQ(nullptr, std::current_exception()); }));
      EXPECT_EQ("maker's", caught_text());
    }
  });
}

TEST_F(FiberHazardsTest, Hazard1_LoopCallbacksSeeNoTasksException) {
  run([] {
    bool checked = false;
    try {
      throw std::runtime_error("task's");
    } catch (const std::runtime_error&) {
      call_soon([&] {
        EXPECT_EQ(nullptr, std::current_exception());
        EXPECT_EQ(0, std::uncaught_exceptions());
        EXPECT_THROW(throw std::logic_error("callback's"), std::logic_error);
        checked = true;
      });
      settle();
      EXPECT_EQ("task's", caught_text());
    }
    EXPECT_TRUE(checked);
  });
}

TEST_F(FiberHazardsTest, Hazard1_RunInsideACatchBlockOfTheThread) {
  try {
    throw std::runtime_error("thread's");
  } catch (const std::runtime_error&) {
    run([] {
      EXPECT_EQ(nullptr, std::current_exception());
      EXPECT_THROW(throw std::logic_error("task's"), std::logic_error);
      yield();
    });
    EXPECT_EQ("thread's", caught_text());
  }
}

TEST_F(FiberHazardsTest, Hazard1_ExceptionPointerTravelsBetweenTasks) {
  run([] {
    std::exception_ptr kept;
    auto thrower = create_task([&] {
      try {
        throw std::runtime_error("handed over");
      } catch (...) {
        kept = std::current_exception();
        for (int i = 0; i < 5; ++i) yield();
        EXPECT_EQ("handed over", caught_text());
      }
    });
    yield();
    yield();
    ASSERT_NE(nullptr, kept);
    try {
      std::rethrow_exception(kept);
    } catch (const std::runtime_error& error) {
      yield();
      EXPECT_STREQ("handed over", error.what());
    }
    await(thrower);
  });
}

// ---- 2: suspending in a destructor that an unwind runs ------------------------------------------

TEST_F(FiberHazardsTest, Hazard2_UncaughtCountIsTheTasksOwn) {
  run([] {
    Sequencer order;
    auto unwinding = create_task([&] {
      try {
        Finally cleanup{[&] {
          order.step(0);
          order.step(2);
          EXPECT_EQ(1, std::uncaught_exceptions());
        }};
        throw std::runtime_error("x");
      } catch (const std::runtime_error&) {
        EXPECT_EQ(0, std::uncaught_exceptions());
      }
    });
    auto calm = create_task([&] {
      order.step(1);
      EXPECT_EQ(0, std::uncaught_exceptions());
      order.step(3);
      EXPECT_EQ(0, std::uncaught_exceptions());
    });
    await(unwinding);
    await(calm);
    EXPECT_EQ(0, std::uncaught_exceptions());
  });
}

TEST_F(FiberHazardsTest, Hazard2_TwoUnwindsInCrossedOrder) {
  run([] {
    Sequencer order;
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 2; ++i) {
      tasks.push_back(create_task([&, i] {
        Finally cleanup{[&] {
          order.step(i);
          order.step(2 + i);  // the one that began first ends first
          EXPECT_EQ(1, std::uncaught_exceptions());
        }};
        throw std::runtime_error(std::to_string(i));
      }));
    }
    for (int i = 0; i < 2; ++i) {
      try {
        await(tasks[static_cast<std::size_t>(i)]);
        ADD_FAILURE() << "must throw";
      } catch (const std::runtime_error& error) {
        EXPECT_EQ(std::to_string(i), error.what());
      }
    }
  });
}

TEST_F(FiberHazardsTest, Hazard2_DestructorOfAnUnwindMayCatchItsOwnExceptions) {
  run([] {
    auto task = create_task([] {
      Finally cleanup{[] {
        try {
          yield();
          throw std::logic_error("cleanup's");
        } catch (const std::logic_error& error) {
          yield();
          EXPECT_STREQ("cleanup's", error.what());
          EXPECT_EQ(1, std::uncaught_exceptions());
        }
      }};
      throw std::runtime_error("body's");
    });
    Finally mine{[&] {
      try {
        await(task);
      } catch (const std::runtime_error& error) {
        EXPECT_STREQ("body's", error.what());
      }
    }};
  });
}

// ---- 3: an unwind must not cross a noexcept frame -----------------------------------------------

int compare_and_suspend(const void* a, const void* b) {
  yield();
  return *static_cast<const int*>(a) - *static_cast<const int*>(b);
}

TEST_F(FiberHazardsTest, Hazard3_TasksMaySuspendInsideCallbacksOfC) {
  run([] {
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 3; ++i) {
      tasks.push_back(create_task([] {
        int numbers[] = {5, 2, 4, 1, 3};
        std::qsort(numbers, 5, sizeof(int), &compare_and_suspend);
        for (int j = 0; j < 5; ++j) EXPECT_EQ(j + 1, numbers[j]);
      }));
    }
    for (auto& task : tasks) await(task);
  });
}

TEST_F(FiberHazardsTest, Hazard3_UnderAGuardNoCancelIsThrownThroughCFrames) {
  run([] {
    bool sorted = false;
    auto task = create_task([&] {
      int numbers[] = {5, 2, 4, 1, 3};
      {
        const lowlevel::NoCancel guard{current_task().control()};
        std::qsort(numbers, 5, sizeof(int), &compare_and_suspend);
      }
      sorted = std::is_sorted(std::begin(numbers), std::end(numbers));
      checkpoint();
      ADD_FAILURE() << "must be cancelled here";
    });
    while (task.state() == TaskState::pending) yield();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_TRUE(sorted);
  });
}

[[noreturn]] void cancel_in_a_noexcept_function() {
  std::set_terminate([] {
    std::fputs("terminate\n", stderr);
    std::_Exit(9);
  });
  asyncio::run([] {
    auto task = create_task([]() noexcept { sleep(1h); });
    yield();
    task.cancel();
    yield();
    yield();
  });
  std::_Exit(0);
}

TEST(FiberHazardsDeathTest, Hazard3_CancelInANoexceptFunctionTerminatesAsAnyExceptionWould) {
  EXPECT_EXIT(cancel_in_a_noexcept_function(), testing::ExitedWithCode(9), "terminate");
}

// ---- 4: catch (...) in other people's code ------------------------------------------------------

// Waits before it takes a character.
class SlowBuffer : public std::streambuf {
  int_type overflow(int_type character) override {
    sleep(1s);
    return character;
  }
};

TEST_F(FiberHazardsTest, Hazard4_ACancelThatAStreamHasSwallowedIsThrownAgain) {
  run([] {
    bool swallowed = false;
    auto task = create_task([&] {
      SlowBuffer buffer;
      std::ostream stream{&buffer};
      stream << 'x';  // a stream takes every exception for a bad stream
      swallowed = stream.bad();
      checkpoint();
      ADD_FAILURE() << "must be cancelled here";
    });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_TRUE(swallowed);
  });
}

// ---- 7 and 8: thread-local storage --------------------------------------------------------------

thread_local int of_this_thread = 0;

TEST_F(FiberHazardsTest, Hazard7_TaskStaysOnItsThreadSoAddressesOfThreadLocalsStayGood) {
  const auto body = [&] {
    int* const mine = &of_this_thread;
    const auto thread = ::pthread_self();
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 20; ++i) {
      tasks.push_back(create_task([&] {
        int* const at_first = &of_this_thread;
        for (int turn = 0; turn < 10; ++turn) {
          yield();
          EXPECT_EQ(at_first, &of_this_thread);
          EXPECT_EQ(mine, &of_this_thread);
          EXPECT_TRUE(::pthread_equal(thread, ::pthread_self()));
        }
        to_thread([&] { EXPECT_NE(mine, &of_this_thread); });
        EXPECT_EQ(mine, &of_this_thread);
      }));
    }
    for (auto& task : tasks) await(task);
  };
  std::thread other{[&] { asyncio::run(body); }};
  asyncio::run(body);
  other.join();
}

TEST_F(FiberHazardsTest, Hazard7_LoopThatChangesItsThreadBetweenRunsTakesTheNewOnesState) {
  run([] { yield(); });
  std::thread{[&] {
    run([] {
      errno = 5;
      try {
        throw std::runtime_error("x");
      } catch (const std::runtime_error&) {
        create_task([] { errno = 6; });
        yield();
        EXPECT_EQ("x", caught_text());
      }
      EXPECT_EQ(5, errno);
    });
  }}.join();
}

TEST_F(FiberHazardsTest, Hazard8_ThreadLocalsAreSharedByTheTasksOfALoop) {
  // Not a promise one may like, but one to know: state of a task belongs in its context.
  run([] {
    of_this_thread = 1;
    await(create_task([] {
      EXPECT_EQ(1, of_this_thread);
      of_this_thread = 2;
    }));
    EXPECT_EQ(2, of_this_thread);
  });
}

// ---- 9 and 10: errno and floating point ---------------------------------------------------------

TEST_F(FiberHazardsTest, Hazard9_ErrnoIsTheTasksOwn) {
  run([] {
    std::vector<Task<void>> tasks;
    for (int i = 1; i <= 10; ++i) {
      tasks.push_back(create_task([i] {
        errno = i;
        for (int turn = 0; turn < 5; ++turn) {
          yield();
          ASSERT_EQ(i, errno);
        }
        sleep(1s);
        ASSERT_EQ(i, errno);
      }));
    }
    for (auto& task : tasks) await(task);
  });
}

TEST_F(FiberHazardsTest, Hazard9_LoopCallbacksAndWaitsDoNotClobberErrno) {
  run([] {
    errno = 77;
    call_soon([] { errno = 1; });
    yield();
    yield();
    EXPECT_EQ(77, errno);
    to_thread([] { errno = 2; });
    EXPECT_EQ(77, errno);
  });
}

TEST_F(FiberHazardsTest, Hazard10_RoundingModeIsTheTasksOwn) {
  if (under_valgrind()) GTEST_SKIP() << "valgrind emulates no rounding of its own per thread";
  run([] {
    const int usual = std::fegetround();
    std::vector<Task<void>> tasks;
    for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO, FE_TONEAREST}) {
      tasks.push_back(create_task([mode] {
        std::fesetround(mode);
        for (int turn = 0; turn < 5; ++turn) {
          volatile double one = 1.0;
          volatile double three = 3.0;
          volatile double third = one / three;
          volatile float narrow = static_cast<float>(third);
          EXPECT_EQ(mode, std::fegetround());
          if (mode == FE_UPWARD) {
            EXPECT_GT(static_cast<double>(narrow), 1.0 / 3);
          }
          if (mode == FE_DOWNWARD) {
            EXPECT_LT(static_cast<double>(narrow), 1.0 / 3);
          }
          yield();
        }
      }));
    }
    for (auto& task : tasks) await(task);
    EXPECT_EQ(usual, std::fegetround());
  });
}

#if defined(__x86_64__)
TEST_F(FiberHazardsTest, Hazard10_BothControlWordsOfX86AreTheTasksOwn) {
  run([] {
    const auto read = [] {
      std::uint32_t sse = 0;
      std::uint16_t x87 = 0;
      asm volatile("stmxcsr %0" : "=m"(sse));
      asm volatile("fnstcw %0" : "=m"(x87));
      return std::pair{sse & ~0x3fu, x87};  // without the sticky exception flags
    };
    const auto before = read();
    auto other = create_task([&] {
      std::uint32_t sse = before.first ^ 0x8000u;                               // flush to zero
      std::uint16_t x87 = static_cast<std::uint16_t>(before.second & ~0x300u);  // single precision
      asm volatile("ldmxcsr %0" : : "m"(sse));
      asm volatile("fldcw %0" : : "m"(x87));
      for (int turn = 0; turn < 3; ++turn) {
        yield();
        EXPECT_EQ((std::pair{sse, x87}), read());
      }
    });
    for (int turn = 0; turn < 5; ++turn) {
      yield();
      EXPECT_EQ(before, read());
    }
    await(other);
  });
}
#endif

// ---- 11: locks of threads -----------------------------------------------------------------------

TEST_F(FiberHazardsTest, Hazard11_NoSuspendKeepsALockOfThreadsFromBeingHeldAcrossASwitch) {
  run([] {
    std::recursive_mutex mutex;  // would let a second task of the thread in
    const std::lock_guard lock{mutex};
    const NoSuspend guard;
    EXPECT_THROW(yield(), InvalidStateError);
  });
}

// ---- 12: function-local statics -----------------------------------------------------------------

// The C++ runtime sees one thread, so a second task that came here meanwhile would be an error of
// its own: an initializer that initializes itself.
int made_once() {
  static const int value = [] {
    const NoSuspend guard;
    EXPECT_THROW(yield(), InvalidStateError);
    return 7;
  }();
  return value;
}

TEST_F(FiberHazardsTest, Hazard12_NoSuspendKeepsTheInitializerOfAStaticFromBeingEnteredTwice) {
  run([] {
    auto first = create_task([] { return made_once(); });
    auto second = create_task([] { return made_once(); });
    EXPECT_EQ(7, await(first));
    EXPECT_EQ(7, await(second));
  });
}

// ---- 13: sanitizers and valgrind ----------------------------------------------------------------

// Leaves poisoned redzones all over its frame, and a deep one.
[[gnu::noinline]] std::size_t use_stack(std::size_t depth) {
  char block[600];
  std::memset(block, static_cast<int>(depth), sizeof block);
  asm volatile("" : : "r"(block) : "memory");
  return depth == 0 ? 0 : use_stack(depth - 1) + static_cast<std::size_t>(block[17] != 0);
}

TEST_F(FiberHazardsTest, Hazard13_StacksAreReusedInEveryStateWithoutAComplaint) {
  run([] {
    for (int round = 0; round < 20; ++round) {
      await(create_task([&] { use_stack(static_cast<std::size_t>(round)); }));
      EXPECT_THROW(await(create_task([&] {
                     char block[100 + 32];
                     std::memset(block, 1, sizeof block);
                     yield();
                     use_stack(static_cast<std::size_t>(20 - round));
                     throw std::runtime_error(std::string(block, 3));
                   })),
                   std::runtime_error);
      auto cancelled = create_task([&] {
        Finally cleanup{[] { use_stack(3); }};
        use_stack(10);
        sleep(1h);
      });
      settle();
      cancelled.cancel();
      EXPECT_THROW(await(cancelled), TaskCancelledException);
    }
  });
}

TEST_F(FiberHazardsTest, Hazard13_AddressesOfOneTasksLocalsAreGoodInAnother) {
  run([] {
    int local = 0;
    auto writer = create_task([&] {
      for (int i = 0; i < 10; ++i) {
        ++local;
        yield();
      }
    });
    await(writer);
    EXPECT_EQ(10, local);
  });
}

// ---- 14: stack overflow -------------------------------------------------------------------------

[[gnu::noinline]] int recurse_for_ever(int depth) {
  if (depth < 0) return 0;  // never
  volatile char block[1000];
  block[0] = static_cast<char>(depth);
  block[999] = static_cast<char>(depth);
  return recurse_for_ever(depth + 1) + block[0] + block[999];
}

// A sanitizer may die of it in its own way, after our report.
bool died(int status) {
  return WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) != 0);
}

TEST(FiberHazardsDeathTest, Hazard14_OverflowNamesTheTaskItsStackAndTheOption) {
  EXPECT_EXIT(asyncio::run([] { await(create_task([] { recurse_for_ever(0); }, "bottomless")); },
                           RunOptions{.stack_size = 256 << 10}),
              died,
              "stack overflow in task 'bottomless': its stack of 262144 bytes is full; raise "
              "TaskOptions::stack_size for this task, or RunOptions::stack_size");
}

void overflow_a_small_stack() {
  asyncio::run([] {
    await(create_task([] { recurse_for_ever(0); },
                      TaskOptions{.name = "small", .stack_size = 64 << 10}));
  });
}

TEST(FiberHazardsDeathTest, Hazard14_OverflowOfAStackOfItsOwnSize) {
  EXPECT_EXIT(overflow_a_small_stack(), died, "in task 'small': its stack of 65536 bytes is full");
}

TEST(FiberHazardsDeathTest, Hazard14_OverflowOfATaskWithoutAName) {
  EXPECT_EXIT(asyncio::run([] { await(create_task([] { recurse_for_ever(0); })); }), died,
              "in task 'Task-[0-9]+'");
}

// One frame that steps over many pages at once.
[[gnu::noinline]] int huge_frame(int depth) {
  if (depth < 0) return 0;  // never
  volatile char block[100'000];
  block[0] = static_cast<char>(depth);
  return huge_frame(depth + 1) + block[0];
}

TEST(FiberHazardsDeathTest, Hazard14_FrameLargerThanTheGuardStillHitsIt) {
  EXPECT_EXIT(asyncio::run([] { await(create_task([] { huge_frame(0); }, "giant")); }), died,
              "stack overflow in task 'giant'");
}

// What the frame of code without -fstack-clash-protection may do: touch its far end first.
void touch_below_the_stack(std::size_t distance) {
  const detail::Fiber& fiber = current_task().control().fiber;
  volatile std::byte* const far_end = fiber.top - fiber.size - distance;
  *far_end = std::byte{5};
}

TEST(FiberHazardsDeathTest, Hazard14_FrameThatStepsOverManyPagesStillHitsTheGuard) {
  EXPECT_EXIT(asyncio::run([] {
                std::vector<Task<void>> neighbours;
                for (int i = 0; i < 40; ++i) neighbours.push_back(create_task([] { sleep(1h); }));
                neighbours[23] = create_task([] { touch_below_the_stack(80 << 10); }, "giant");
                gather(neighbours);
              }),
              died, "stack overflow in task 'giant'");
}

TEST(FiberHazardsDeathTest, Hazard14_TheGuardIsAsLargeAsATaskSays) {
  EXPECT_EXIT(asyncio::run([] {
                await(create_task([] { touch_below_the_stack(2 << 20); },
                                  {.name = "giant", .guard_size = 2 << 20}));
              }),
              died, "stack overflow in task 'giant'");
}

void overflow_in_a_thread() {
  std::thread{[] {
    asyncio::run([] { await(create_task([] { recurse_for_ever(0); }, "elsewhere")); });
  }}.join();
}

TEST(FiberHazardsDeathTest, Hazard14_OverflowInALoopOfAnotherThread) {
  EXPECT_EXIT(overflow_in_a_thread(), died, "in task 'elsewhere'");
}

void earlier_handler(int) {
  static constexpr char text[] = "earlier handler called\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, sizeof text - 1);
  std::_Exit(5);
}

void earlier_handler_with_info(int signo, siginfo_t* info, void* context) {
  if (info == nullptr || context == nullptr || signo != SIGSEGV) std::_Exit(6);
  earlier_handler(signo);
}

// Writes where nothing may be written.  Not through null: UBSan would be first.
void fault_elsewhere() {
  void* const closed = ::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *static_cast<volatile int*>(closed) = 1;
}

TEST(FiberHazardsDeathTest, Hazard14_EarlierHandlerIsKeptAndCalledForForeignFaults) {
  EXPECT_EXIT(
      {
        ::signal(SIGSEGV, &earlier_handler);
        asyncio::run([] { fault_elsewhere(); });
      },
      testing::ExitedWithCode(5), "^earlier handler called\n$");
}

void fault_under_a_handler_with_info() {
  struct sigaction action {};
  action.sa_sigaction = &earlier_handler_with_info;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGSEGV, &action, nullptr);
  asyncio::run([] { fault_elsewhere(); });
}

TEST(FiberHazardsDeathTest, Hazard14_EarlierHandlerWithInfoGetsIt) {
  EXPECT_EXIT(fault_under_a_handler_with_info(), testing::ExitedWithCode(5),
              "^earlier handler called\n$");
}

TEST(FiberHazardsDeathTest, Hazard14_EarlierHandlerIsCalledAfterTheReportToo) {
  EXPECT_EXIT(
      {
        ::signal(SIGSEGV, &earlier_handler);
        asyncio::run([] { recurse_for_ever(0); });
      },
      testing::ExitedWithCode(5), "stack overflow in task 'main'.*earlier handler called");
}

struct sigaction before_reporter {};

void crash_reporter(int signo, siginfo_t* info, void* context) {
  static constexpr char text[] = "crash reporter called\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, sizeof text - 1);
  if ((before_reporter.sa_flags & SA_SIGINFO) != 0) {
    before_reporter.sa_sigaction(signo, info, context);
  } else {
    ::signal(signo, SIG_DFL);
  }
}

void start_crash_reporter() {
  struct sigaction action {};
  action.sa_sigaction = &crash_reporter;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  ::sigaction(SIGSEGV, &action, &before_reporter);
}

TEST(FiberHazardsDeathTest, Hazard14_AHandlerThatCameInAnEarlierRunAndHandsOnIsCalledOnce) {
  EXPECT_EXIT(
      {
        ::signal(SIGSEGV, SIG_DFL);  // a sanitizer's handler would report it, too
        asyncio::run(start_crash_reporter);
        asyncio::run([] {});
        asyncio::run([] { fault_elsewhere(); });
      },
      died, "^crash reporter called\n$");
  EXPECT_EXIT(
      {
        ::signal(SIGSEGV, SIG_DFL);  // a sanitizer's handler would report it, too
        asyncio::run(start_crash_reporter);
        asyncio::run([] { recurse_for_ever(0); });
      },
      died, "^crash reporter called\nasyncio: stack overflow in task 'main'[^\n]*\n$");
}

TEST(FiberHazardsDeathTest, Hazard14_OnceSuchAHandlerHasGoneTheReportIsBack) {
  EXPECT_EXIT(
      {
        ::signal(SIGSEGV, SIG_DFL);  // a sanitizer's handler would report it, too
        asyncio::run(start_crash_reporter);
        ::sigaction(SIGSEGV, &before_reporter, nullptr);
        asyncio::run([] {});
        asyncio::run([] { recurse_for_ever(0); });
      },
      died, "^asyncio: stack overflow in task 'main'[^\n]*\n$");
  EXPECT_EXIT(
      {
        ::signal(SIGSEGV, SIG_DFL);  // a sanitizer's handler would report it, too
        asyncio::run(start_crash_reporter);
        ::signal(SIGSEGV, SIG_DFL);
        asyncio::run([] { recurse_for_ever(0); });
      },
      died, "^asyncio: stack overflow in task 'main'[^\n]*\n$");
}

TEST(FiberHazardsDeathTest, Hazard14_ASegvThatSomebodySendsEndsTheProcessAtOnce) {
  const auto killed = testing::KilledBySignal(SIGSEGV);
  EXPECT_EXIT(
      {
        ::signal(SIGSEGV, SIG_DFL);  // a sanitizer's handler would end it in another way
        asyncio::run([] {
          ::kill(::getpid(), SIGSEGV);
          std::_Exit(3);
        });
      },
      killed, "");
  EXPECT_EXIT(
      {
        ::signal(SIGSEGV, SIG_DFL);
        asyncio::run([] {
          ::raise(SIGSEGV);
          std::_Exit(3);
        });
      },
      killed, "");
}

TEST(FiberHazardsDeathTest, Hazard14_ASegvThatSomebodySendsIsIgnoredWhereTheProgramSaysSo) {
  EXPECT_EXIT(
      {
        ::signal(SIGSEGV, SIG_IGN);
        asyncio::run([] {
          ::raise(SIGSEGV);
          std::_Exit(3);
        });
      },
      testing::ExitedWithCode(3), "^$");
}

TEST_F(FiberHazardsTest, Hazard14_EarlierHandlerIsBackWhenTheLoopHasGone) {
  const auto handler = [] {
    struct sigaction present {};
    ::sigaction(SIGSEGV, nullptr, &present);
    return reinterpret_cast<void*>(present.sa_handler);
  };
  void* const before = handler();
  {
    EventLoop first{make_backend("auto"), {}};
    EXPECT_NE(before, handler());
    EventLoop second{make_backend("auto"), {}};
  }
  EXPECT_EQ(before, handler());
  {
    EventLoop silent{make_backend("auto"), LoopOptions{.report_stack_overflow = false}};
    EXPECT_EQ(before, handler()) << "left alone when asked to";
  }
}

// A system call on a guard fails where an access would raise a signal.
TEST_F(FiberHazardsTest, Hazard14_EveryStackHasItsGuard) {
  run([&] {
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 100; ++i) {
      tasks.push_back(create_task([] {
        const detail::Fiber& fiber = current_task().control().fiber;
        const std::byte* bottom = fiber.top - fiber.size;
        EXPECT_FALSE(readable(bottom - 1));
        EXPECT_FALSE(readable(bottom - current_task().control().stacks->guard_size()));
        EXPECT_TRUE(readable(bottom));
        EXPECT_TRUE(readable(fiber.top - 1));
      }));
    }
    for (auto& task : tasks) await(task);
  });
}

// ---- 15 and 17: the entry frame -----------------------------------------------------------------

TEST_F(FiberHazardsTest, Hazard17_NothingThatABodyThrowsGoesBeyondItsEntry) {
  struct Odd {};
  run([] {
    EXPECT_THROW(await(create_task([] { throw 42; })), int);
    EXPECT_THROW(await(create_task([] { throw "text"; })), const char*);
    EXPECT_THROW(await(create_task([] { throw Odd{}; })), Odd);
    EXPECT_THROW(await(create_task([] { throw std::bad_alloc{}; })), std::bad_alloc);
    EXPECT_THROW(await(create_task([] { std::rethrow_exception(std::make_exception_ptr(1)); })),
                 int);
  });
}

TEST_F(FiberHazardsTest, Hazard17_ExceptionOfTheResultsCopyReachesTheAwaiter) {
  struct Fragile {
    Fragile() = default;
    Fragile(const Fragile&) { throw std::runtime_error("cannot be copied today"); }
  };
  run([] {
    auto task = create_task([] { return Fragile{}; });
    EXPECT_THROW(await(task), std::runtime_error);
    EXPECT_EQ(TaskState::completed, task.state());
  });
}

struct Frames {
  void* addresses[64];
  int count = 0;
};

[[gnu::noinline]] void take_frames(Frames& frames) {
  frames.count = ::backtrace(frames.addresses, 64);
  asm volatile("");
}

}  // namespace

// Extern and not inlined, so that it has a frame of its own in every build.
[[gnu::noinline]] void body_that_looks_back(void* target) {
  take_frames(*static_cast<Frames*>(target));
  asm volatile("");  // no tail call
}

namespace {

TEST_F(FiberHazardsTest, Hazard15_BacktraceHoldsTheBodyAndStopsAtTheEntry) {
  run([] {
    Frames frames;
    await(create_task([&] { body_that_looks_back(&frames); }));
    ASSERT_GT(frames.count, 2);
    ASSERT_LT(frames.count, 32) << "must not run on into whatever lies above";
    const auto begin = reinterpret_cast<std::uintptr_t>(&body_that_looks_back);
    bool found = false;
    for (int i = 0; i < frames.count; ++i) {
      const auto at = reinterpret_cast<std::uintptr_t>(frames.addresses[i]);
      EXPECT_NE(0u, at);
      found = found || (at > begin && at < begin + 256);
    }
    EXPECT_TRUE(found);
  });
}

TEST_F(FiberHazardsTest, Hazard15_BacktraceStopsAtTheSameFrameForEveryTask) {
  run([] {
    std::vector<Frames> frames(3);
    for (std::size_t i = 0; i < frames.size(); ++i) {
      await(create_task([&, i] {
        for (std::size_t turn = 0; turn < i; ++turn) yield();
        body_that_looks_back(&frames[i]);
      }));
    }
    const auto last = [](const Frames& f) { return f.addresses[f.count - 1]; };
    EXPECT_EQ(frames[0].count, frames[1].count);
    EXPECT_EQ(last(frames[0]), last(frames[1]));
    EXPECT_EQ(last(frames[0]), last(frames[2]));
  });
}

// ---- 19 and 20: where nothing may suspend, and whose stack it is --------------------------------

TEST_F(FiberHazardsTest, Hazard19_ASignalHandlerOfTheLoopIsACallbackSoItCannotSuspend) {
  run([&] {
    bool refused = false;
    loop().add_signal_handler(SIGUSR1, [&](int) {
      EXPECT_THROW(sleep(1s), NotInTaskError);
      refused = true;
    });
    ::raise(SIGUSR1);
    settle();
    loop().remove_signal_handler(SIGUSR1);
    EXPECT_TRUE(refused);
  });
}

TEST_F(FiberHazardsTest, Hazard20_CallbacksAndThreadsHaveOrdinaryStacks) {
  run([] {
    const detail::Fiber& fiber = current_task().control().fiber;
    const auto is_mine = [&] {
      const auto* const here = static_cast<const std::byte*>(__builtin_frame_address(0));
      return here >= fiber.top - fiber.size && here < fiber.top;
    };
    EXPECT_TRUE(is_mine());
    bool in_callback = true;
    call_soon([&] { in_callback = is_mine(); });
    settle();
    EXPECT_FALSE(in_callback);
    EXPECT_FALSE(to_thread(is_mine));
  });
}

// ---- 21: recursion ------------------------------------------------------------------------------

TEST_F(FiberHazardsTest, Hazard21_StartingTasksFromTasksNestsNoStacks) {
  // Each task makes the next one and waits for it: with an eager start, 5,000 bodies would nest.
  const int depth = watched() ? 300 : 5000;
  run([&] {
    std::function<int(int)> nest = [&](int left) -> int {
      if (left == 0) return 0;
      const int below = await(create_task([&nest, left] { return nest(left - 1); },
                                          TaskOptions{.stack_size = 32 << 10}));
      EXPECT_LE(current_task().stats().stack_used, 32u << 10);
      return below + 1;
    };
    EXPECT_EQ(depth, nest(depth));
  });
}

TEST_F(FiberHazardsTest, Hazard21_WakingRunsNothingInPlace) {
  run([] {
    BareWaiter waiter;
    bool ran_on = false;
    auto task = create_task([&] {
      lowlevel::enter("test").suspend(waiter);
      ran_on = true;
    });
    settle();
    lowlevel::wake(waiter);
    EXPECT_FALSE(ran_on);
    await(task);
  });
}

// ---- 22: stale wake-ups -------------------------------------------------------------------------

TEST_F(FiberHazardsTest, Hazard22_WakeMeantForAnEndedTaskDoesNotReachTheNextOnItsStack) {
  run([&] {
    auto gate = std::make_shared<std::atomic<bool>>(false);
    const void* first_stack = nullptr;
    const void* second_stack = nullptr;
    auto first = create_task([&] {
      first_stack = current_task().control().fiber.top;
      to_thread(abandon, [gate] {
        while (!*gate) std::this_thread::sleep_for(1ms);
      });
    });
    settle();
    first.cancel();
    EXPECT_THROW(await(first), TaskCancelledException);
    first = {};  // the control block may be reused as well
    auto second = create_task([&] {
      second_stack = current_task().control().fiber.top;
      sleep(1h);
      return elapsed();
    });
    settle();
    EXPECT_EQ(first_stack, second_stack) << "stacks are pooled, last in, first out";
    *gate = true;
    while (gate.use_count() != 1) to_thread([] { std::this_thread::sleep_for(1ms); });
    settle();
    EXPECT_EQ("timer", second.wait_reason());
    EXPECT_EQ(1h, await(second));
  });
}

TEST_F(FiberHazardsTest, Hazard22_AwaitedTaskThatEndsAfterItsWaiterWakesNobody) {
  run([&] {
    auto source = create_task([] { sleep(1s); });
    auto waiter = create_task([&] { await(source); });
    settle();
    waiter.cancel();
    settle();
    waiter = {};
    auto next = create_task([&] {
      sleep(1h);
      return elapsed();
    });
    await(source);
    settle();
    EXPECT_FALSE(next.is_done());
    EXPECT_EQ(1h, await(next));
  });
}

TEST_F(FiberHazardsTest, Hazard22_HandleOfAnEndedTaskDoesNotCancelTheNextOne) {
  run([] {
    auto first = create_task([] {});
    await(first);
    auto second = create_task([] {
      sleep(1s);
      return 1;
    });
    settle();
    EXPECT_FALSE(first.cancel());
    EXPECT_EQ(1, await(second));
  });
}

}  // namespace
}  // namespace asyncio::test
