// The pool that task stacks come from.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/core/internal/memory/stack_pool.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/readable.h>
#include <asyncio/tests/support/scale.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;
using detail::StackGuard;
using detail::StackPool;

constexpr std::size_t kib = 1024;

std::string name_of(StackGuard guard) {
  return guard == StackGuard::madvise    ? "madvise"
         : guard == StackGuard::mprotect ? "mprotect"
                                         : "none";
}

class StackPoolGuardTest : public testing::TestWithParam<StackGuard> {
 protected:
  // Also where this kernel has no MADV_GUARD_INSTALL, asking for it must do no harm.
  bool expect_guards() const {
    return GetParam() == StackGuard::mprotect ||
           (GetParam() == StackGuard::madvise && detail::best_stack_guard() == StackGuard::madvise);
  }
};

INSTANTIATE_TEST_SUITE_P(All, StackPoolGuardTest,
                         testing::Values(StackGuard::madvise, StackGuard::mprotect,
                                         StackGuard::none),
                         [](const auto& parameter) { return name_of(parameter.param); });

TEST_P(StackPoolGuardTest, EveryByteOfAStackIsUsableAndTheGuardBelowIsNot) {
  testing::internal::CaptureStderr();
  StackPool pool{{64 * kib, 80 * kib}, GetParam()};
  for (int i = 0; i < 40; ++i) {  // several slabs
    std::byte* top = pool.acquire();
    std::memset(top - 64 * kib, i, 64 * kib);
    EXPECT_EQ(!expect_guards(), readable(top - 64 * kib - 1)) << "stack " << i;
    EXPECT_EQ(!expect_guards(), readable(top - 64 * kib - 80 * kib)) << "stack " << i;
  }
  EXPECT_EQ(expect_guards() ? pool.total() : 0, pool.guarded());
  static_cast<void>(testing::internal::GetCapturedStderr());
}

TEST_P(StackPoolGuardTest, StacksDoNotOverlap) {
  testing::internal::CaptureStderr();
  StackPool pool{{16 * kib}, GetParam()};
  std::vector<std::byte*> tops;
  for (int i = 0; i < 100; ++i) {
    tops.push_back(pool.acquire());
    std::memset(tops.back() - 16 * kib, i, 16 * kib);
  }
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(static_cast<std::byte>(i), *(tops[static_cast<std::size_t>(i)] - 1));
    EXPECT_EQ(static_cast<std::byte>(i), *(tops[static_cast<std::size_t>(i)] - 16 * kib));
  }
  static_cast<void>(testing::internal::GetCapturedStderr());
}

TEST(StackPoolTest, SizeIsRoundedUpToPages) {
  EXPECT_EQ(4096u, StackPool({1}).usable_size());
  EXPECT_EQ(4096u, StackPool({4096}).usable_size());
  EXPECT_EQ(8192u, StackPool({4097}).usable_size());
}

TEST(StackPoolTest, GuardIsRoundedUpToPagesAndNeverMissing) {
  EXPECT_EQ(4096u, StackPool({4096, 0}).guard_size());
  EXPECT_EQ(8192u, StackPool({4096, 4097}).guard_size());
}

TEST(StackPoolTest, TopsAreAlignedToPages) {
  StackPool pool{{20 * kib}};
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(0u, reinterpret_cast<std::uintptr_t>(pool.acquire()) % 4096);
  }
}

TEST(StackPoolTest, LastGivenBackIsFirstHandedOut) {
  StackPool pool{{16 * kib}};
  std::byte* a = pool.acquire();
  std::byte* b = pool.acquire();
  pool.release(a);
  pool.release(b);
  EXPECT_EQ(b, pool.acquire());
  EXPECT_EQ(a, pool.acquire());
}

TEST(StackPoolTest, CountsWhatItHas) {
  StackPool pool{{16 * kib}};
  EXPECT_EQ(0u, pool.total());
  std::byte* top = pool.acquire();
  EXPECT_GT(pool.total(), 0u);
  EXPECT_EQ(pool.total() - 1, pool.free_count());
  pool.release(top);
  EXPECT_EQ(pool.total(), pool.free_count());
}

TEST(StackPoolTest, GrowsByWholeSlabsAndReusesThem) {
  StackPool pool{{16 * kib}};
  std::vector<std::byte*> tops;
  for (int i = 0; i < 5000; ++i) tops.push_back(pool.acquire());
  const std::size_t total = pool.total();
  EXPECT_GE(total, 5000u);
  for (std::byte* top : tops) pool.release(top);
  for (int i = 0; i < 5000; ++i) static_cast<void>(pool.acquire());
  EXPECT_EQ(total, pool.total());
}

TEST(StackPoolTest, TouchedStackTellsHowFarItWasUsed) {
  StackPool pool{{64 * kib}};
  std::byte* top = pool.acquire();
  EXPECT_EQ(0u, detail::touched_stack(top, 64 * kib));
  top[-1] = std::byte{1};
  EXPECT_EQ(4 * kib, detail::touched_stack(top, 64 * kib));
  *(top - 20 * kib) = std::byte{1};
  EXPECT_EQ(20 * kib, detail::touched_stack(top, 64 * kib));
}

// ---- Trimming -----------------------------------------------------------------------------------

std::size_t resident_kib(const std::vector<std::byte*>& tops, std::size_t size) {
  std::size_t sum = 0;
  for (std::byte* top : tops) sum += detail::touched_stack(top, size);
  return sum / kib;
}

// Calls trim() as the loop does, until it has nothing more to do.  Returns the time that took.
Duration trim_until_quiet(StackPool& pool, TimePoint& now) {
  const TimePoint begin = now;
  for (int calls = 0; calls < 10'000; ++calls) {
    const auto next = pool.trim(now);
    if (!next) return now - begin;
    EXPECT_GT(*next, now) << "trim() would be called in a circle";
    now = std::max(*next, now + 1ns);
  }
  ADD_FAILURE() << "trimming never ended";
  return now - begin;
}

TEST(StackPoolTest, IdleStacksGiveTheirMemoryBackButForAFewWarmOnes) {
  constexpr std::size_t count = 2000;
  StackPool pool{{16 * kib}};
  std::vector<std::byte*> tops;
  for (std::size_t i = 0; i < count; ++i) {
    tops.push_back(pool.acquire());
    *(tops.back() - 1) = std::byte{1};
  }
  EXPECT_EQ(count * 4, resident_kib(tops, 16 * kib));
  for (std::byte* top : tops) pool.release(top);
  TimePoint now = Clock::now();
  const Duration took = trim_until_quiet(pool, now);
  EXPECT_LE(resident_kib(tops, 16 * kib), StackPool::keep_warm * 4);
  EXPECT_GE(took, 1s) << "what was needed a moment ago is kept";
  EXPECT_LT(took, 10s);
  // Those that stay warm are those handed out next.
  EXPECT_EQ(4 * kib, detail::touched_stack(pool.acquire(), 16 * kib));
}

TEST(StackPoolTest, StacksInUseAreNeverTrimmed) {
  StackPool pool{{16 * kib}};
  std::vector<std::byte*> used;
  std::vector<std::byte*> idle;
  for (int i = 0; i < 1000; ++i) {
    std::byte* top = pool.acquire();
    std::memset(top - 16 * kib, 0x5a, 16 * kib);
    (i % 2 == 0 ? used : idle).push_back(top);
  }
  for (std::byte* top : idle) pool.release(top);
  TimePoint now = Clock::now();
  trim_until_quiet(pool, now);
  for (const std::byte* top : used) {
    ASSERT_EQ(std::byte{0x5a}, *(top - 1));
    ASSERT_EQ(std::byte{0x5a}, *(top - 16 * kib));
  }
  for (std::byte* top : used) pool.release(top);
  trim_until_quiet(pool, now);
  EXPECT_LE(resident_kib(used, 16 * kib) + resident_kib(idle, 16 * kib), StackPool::keep_warm * 16);
}

TEST(StackPoolTest, BusyPoolIsNotTrimmed) {
  StackPool pool{{16 * kib}};
  std::vector<std::byte*> tops;
  for (int i = 0; i < 1000; ++i) {
    tops.push_back(pool.acquire());
    *(tops.back() - 1) = std::byte{1};
  }
  TimePoint now = Clock::now();
  for (int second = 0; second < 5; ++second) {
    for (std::byte* top : tops) pool.release(top);
    static_cast<void>(pool.trim(now));
    now += 500ms;
    for (std::byte*& top : tops) top = pool.acquire();  // needed again within the period
    static_cast<void>(pool.trim(now));
    now += 500ms;
  }
  EXPECT_EQ(4000u, resident_kib(tops, 16 * kib));
}

TEST(StackPoolTest, TrimmedStackWorksAgain) {
  StackPool pool{{16 * kib}};
  std::vector<std::byte*> tops;
  for (int i = 0; i < 600; ++i) {
    tops.push_back(pool.acquire());
    std::memset(tops.back() - 16 * kib, 1, 16 * kib);
  }
  for (std::byte* top : tops) pool.release(top);
  TimePoint now = Clock::now();
  trim_until_quiet(pool, now);
  for (int i = 0; i < 600; ++i) {
    std::byte* top = pool.acquire();
    std::memset(top - 16 * kib, i, 16 * kib);
    EXPECT_EQ(detail::best_stack_guard() == StackGuard::none, readable(top - 16 * kib - 1));
  }
}

// ---- Through tasks ------------------------------------------------------------------------------

class TaskStacksTest : public LoopTest {};

TEST_F(TaskStacksTest, SequentialTasksShareOneStack) {
  run([&] {
    const std::byte* first = nullptr;
    const std::size_t stacks = loop().statistics().stacks;
    for (int i = 0; i < 100; ++i) {
      await(create_task([&] {
        const std::byte* mine = current_task().control().fiber.top;
        if (first == nullptr) first = mine;
        EXPECT_EQ(first, mine);
      }));
    }
    EXPECT_EQ(stacks, loop().statistics().stacks);
  });
}

TEST_F(TaskStacksTest, FinishedTasksStackIsReusedWhileItsHandleLives) {
  run([&] {
    std::vector<Task<int>> handles;
    for (int i = 0; i < 1000; ++i) {
      handles.push_back(create_task([i] { return i; }));
      await(handles.back());
    }
    EXPECT_LT(loop().statistics().stacks, 100u);
    EXPECT_EQ(999, handles.back().result());
  });
}

TEST_F(TaskStacksTest, StacksOfOwnSizesArePooledToo) {
  run([&] {
    const auto one = [](std::size_t size) {
      return await(create_task([] { return current_task().control().fiber.top; },
                               TaskOptions{.stack_size = size}));
    };
    const std::byte* first = one(128 * kib);
    const std::size_t stacks = loop().statistics().stacks;
    for (int i = 0; i < 20; ++i) EXPECT_EQ(first, one(128 * kib));
    EXPECT_EQ(first, one(128 * kib - 100)) << "the same number of pages";
    EXPECT_EQ(stacks, loop().statistics().stacks);
    EXPECT_NE(first, one(256 * kib + 4096));
    EXPECT_GT(loop().statistics().stacks, stacks);
  });
}

TEST_F(TaskStacksTest, StacksOfOneSizeButAnotherGuardAreOthers) {
  run([&] {
    const auto one = [](std::size_t stack_size, std::size_t guard_size) {
      return await(create_task([] { return current_task().control().fiber.top; },
                               TaskOptions{.stack_size = stack_size, .guard_size = guard_size}));
    };
    const std::size_t usual = current_task().stats().stack_size;
    const std::size_t usual_guard = current_task().control().stacks->guard_size();
    const std::byte* first = one(0, 0);
    EXPECT_EQ(first, one(usual, usual_guard)) << "which is what 0 means";
    const std::byte* large = one(0, 300 * kib);
    EXPECT_NE(first, large);
    EXPECT_EQ(large, one(usual, 300 * kib));
    EXPECT_NE(large, one(128 * kib, 300 * kib));
    EXPECT_FALSE(readable(large - usual - 1));
    EXPECT_FALSE(readable(large - usual - 300 * kib));
    EXPECT_EQ(first, one(0, 0));
  });
}

TEST(TaskGuardsTest, RunOptionsChooseTheGuardOfAll) {
  asyncio::run(
      [] {
        EXPECT_EQ(200 * kib, current_task().control().stacks->guard_size());
        await(create_task(
            [] { EXPECT_EQ(200 * kib, current_task().control().stacks->guard_size()); }));
      },
      RunOptions{.guard_size = 200 * kib - 1});
}

TEST_F(TaskStacksTest, AnImpossibleGuardIsAnErrorThatNamesTheOption) {
  run([] {
    const std::string message = message_of<Error>(
        [] { create_task([] {}, TaskOptions{.guard_size = std::size_t{1} << 60}); });
    EXPECT_TRUE(contains(message, "a guard_size of 1152921504606846976 bytes")) << message;
  });
}

// Two stacks lie an odd multiple of 16 KiB apart, so their tops spread over the sets of the caches.
TEST_F(TaskStacksTest, UsualStacksSpreadOverTheCaches) {
  run([] {
    for (const std::size_t size : {std::size_t{0}, 32 * kib, 64 * kib, 1024 * kib}) {
      const auto task = create_task([] {}, TaskOptions{.stack_size = size});
      const detail::StackPool& stacks = *task.control().stacks;
      EXPECT_EQ(16 * kib, (stacks.usable_size() + stacks.guard_size()) % (32 * kib));
    }
  });
}

TEST_F(TaskStacksTest, TinyStackIsRaisedToWhatATaskNeeds) {
  run([] {
    auto task = create_task(
        [] {
          // Enough to start, to wait, and to fail with a message.
          sleep(1s);
          throw std::runtime_error("with a message");
        },
        TaskOptions{.stack_size = 1});
    EXPECT_GE(task.stats().stack_size, 16 * kib);
    EXPECT_THROW(await(task), std::runtime_error);
  });
}

// ---- When the system has no more ----------------------------------------------------------------

[[noreturn]] void run_out_of_address_space() {
  const int code = asyncio::run([] {
    rlimit limit{};
    ::getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = std::size_t{2} << 30;
    ::setrlimit(RLIMIT_AS, &limit);
    std::vector<Task<int>> tasks;
    std::string message;
    try {
      for (;;) {
        tasks.push_back(create_task([i = static_cast<int>(tasks.size())] { return i; },
                                    TaskOptions{.stack_size = std::size_t{8} << 20}));
      }
    } catch (const Error& error) {
      message = error.what();
    }
    std::fprintf(stderr, "%zu tasks, then: %s\n", tasks.size(), message.c_str());
    // Those that exist are whole, and their stacks serve again.
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      if (await(tasks[i]) != static_cast<int>(i)) return 1;
    }
    for (int i = 0; i < 50; ++i) {
      if (await(create_task([] { return 3; }, TaskOptions{.stack_size = std::size_t{8} << 20})) !=
          3) {
        return 2;
      }
    }
    return tasks.size() > 50 ? 0 : 3;
  });
  std::_Exit(code);
}

TEST(StackPoolDeathTest, OutOfAddressSpaceIsAnErrorOfCreateTaskNotAnAbort) {
  if (watched()) GTEST_SKIP() << "a sanitizer's shadow is larger than any limit one could set";
  EXPECT_EXIT(run_out_of_address_space(), testing::ExitedWithCode(0),
              "tasks, then: out of stacks: create_task could not map .*stack_size smaller");
}

// In a process of its own: the warning comes once in a process, and the guards count together.
[[noreturn]] void exhaust_mprotect_guards() {
  std::size_t limit = 0;
  if (std::FILE* file = std::fopen("/proc/sys/vm/max_map_count", "r")) {
    if (std::fscanf(file, "%zu", &limit) != 1) limit = 0;
    std::fclose(file);
  }
  const std::size_t wanted = limit / 4 + 3000;
  int code = 0;
  std::string said;
  {
    testing::internal::CaptureStderr();
    StackPool pool{{4 * kib}, StackGuard::mprotect};
    StackPool other{{4 * kib}, StackGuard::mprotect};
    for (std::size_t i = 0; i < wanted; ++i) *(pool.acquire() - 1) = std::byte{1};
    for (int i = 0; i < 100; ++i) *(other.acquire() - 1) = std::byte{1};
    said = testing::internal::GetCapturedStderr();
    if (pool.guarded() + 2000 < limit / 4 || pool.guarded() > limit / 4) code = 1;
    if (other.guarded() != 0) code = 2;
  }
  {
    // The pools that have gone make room for guards again.
    StackPool later{{4 * kib}, StackGuard::mprotect};
    std::byte* top = later.acquire();
    if (later.guarded() != later.total() || readable(top - 4 * kib - 1)) code = 3;
  }
  const std::size_t first = said.find("asyncio: further task stacks have no guard ");
  if (first == std::string::npos || said.find("asyncio:", first + 1) != std::string::npos) code = 4;
  std::fputs(said.c_str(), stderr);
  std::_Exit(code);
}

TEST(StackPoolDeathTest, MprotectGuardsEndWithOneWarningBeforeTheProcessRunsOutOfMappings) {
  EXPECT_EXIT(exhaust_mprotect_guards(), testing::ExitedWithCode(0),
              "vm.max_map_count leaves no room for more");
}

[[noreturn]] void overflow_without_guard_report() {
  // With guards by mprotect a fault looks the same to the process.
  StackPool pool{{16 * kib}, StackGuard::mprotect};
  std::byte* top = pool.acquire();
  volatile std::byte* below = top - 16 * kib - 1;
  *below = std::byte{1};
  std::_Exit(0);
}

TEST(StackPoolDeathTest, WritingBelowAStackFaults) {
  EXPECT_EXIT(
      overflow_without_guard_report(),
      [](int status) {
        return WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) != 0);
      },
      "");
}

}  // namespace
}  // namespace asyncio::test
