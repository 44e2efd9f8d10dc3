// The memory of control blocks.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <asyncio/asyncio.h>
#include <asyncio/core/internal/memory/block_pool.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;
using detail::BlockPool;

TEST(BlockPoolTest, BlocksAreWholeLinesOfTheirOwn) {
  BlockPool pool;
  std::vector<std::pair<std::byte*, std::size_t>> blocks;
  for (std::size_t i = 0; i < 3000; ++i) {
    const std::size_t size = 1 + i * 37 % BlockPool::largest;
    auto* block = static_cast<std::byte*>(pool.acquire(size));
    ASSERT_EQ(0U, reinterpret_cast<std::uintptr_t>(block) % BlockPool::line);
    std::memset(block, static_cast<int>(i % 251), size);
    blocks.emplace_back(block, size);
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const auto [block, size] = blocks[i];
    const auto written = static_cast<std::byte>(i % 251);
    ASSERT_TRUE(std::all_of(block, block + size, [&](std::byte at) { return at == written; }));
    pool.release(block, size);
  }
  EXPECT_EQ(blocks.size(), pool.free_count());
}

TEST(BlockPoolTest, TheOneFreedLastIsUsedFirst) {
  BlockPool pool;
  void* const first = pool.acquire(400);
  void* const second = pool.acquire(400);
  pool.release(first, 400);
  pool.release(second, 400);
  EXPECT_EQ(second, pool.acquire(400));
  EXPECT_EQ(first, pool.acquire(400));
  pool.release(first, 400);
  void* const smaller = pool.acquire(300);
  EXPECT_NE(first, smaller) << "sizes do not mix";
  BlockPool::give_back(smaller);
  BlockPool::give_back(second);
}

TEST(BlockPoolTest, BlocksOutliveTheirPoolAndItsThread) {
  std::vector<void*> blocks;
  std::thread([&] {
    BlockPool pool;
    for (int i = 0; i < 1000; ++i) blocks.push_back(pool.acquire(384));
    for (int i = 0; i < 10; ++i) pool.release(pool.acquire(384), 384);
  }).join();
  BlockPool other;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    std::memset(blocks[i], 1, 384);
    if (i % 2 == 0) {
      other.release(blocks[i], 384);
    } else {
      BlockPool::give_back(blocks[i]);
    }
  }
  BlockPool::give_back(BlockPool::allocate_alone(384));
}

TEST(BlockPoolTest, IdleBlocksGoBackButForAFewWarmOnes) {
  BlockPool pool;
  std::vector<void*> blocks(5000);
  for (void*& block : blocks) block = pool.acquire(384);
  for (void* block : blocks) pool.release(block, 384);
  TimePoint now{};
  now += 1s;
  const TimePoint begin = now;
  int calls = 0;
  while (const std::optional<TimePoint> next = pool.trim(now)) {
    ASSERT_GT(*next, now) << "trim() would be called in a circle";
    now = *next;
    ASSERT_LT(++calls, 100);
  }
  EXPECT_EQ(BlockPool::keep_warm, pool.free_count());
  EXPECT_GE(now - begin, 1s) << "what was needed a moment ago is kept";
  EXPECT_LT(now - begin, 5s);
}

TEST(BlockPoolTest, BusyPoolIsNotTrimmed) {
  BlockPool pool;
  std::vector<void*> blocks(1000);
  for (void*& block : blocks) block = pool.acquire(384);
  const std::set<void*> before(blocks.begin(), blocks.end());
  TimePoint now{};
  for (int second = 1; second < 6; ++second) {
    now += 500ms;
    for (void* block : blocks) pool.release(block, 384);
    static_cast<void>(pool.trim(now));
    now += 500ms;
    for (void*& block : blocks) block = pool.acquire(384);
    static_cast<void>(pool.trim(now));
  }
  EXPECT_EQ(before, std::set<void*>(blocks.begin(), blocks.end()));
  for (void* block : blocks) BlockPool::give_back(block);
}

TEST(BlockPoolTest, WhereBlocksOnlyEndTheyDoNotPileUp) {
  BlockPool maker;
  BlockPool ender;
  for (int round = 0; round < 10; ++round) {
    std::vector<void*> blocks(1000);
    for (void*& block : blocks) block = maker.acquire(384);
    for (void* block : blocks) ender.release(block, 384);
  }
  EXPECT_EQ(BlockPool::keep_warm, ender.free_count());
}

TEST(BlockPoolTest, ABurstFitsWhereItWasMade) {
  BlockPool pool;
  std::vector<void*> blocks(5000);
  for (void*& block : blocks) block = pool.acquire(384);
  for (void* block : blocks) pool.release(block, 384);
  EXPECT_EQ(blocks.size(), pool.free_count());
}

// ---- Through tasks ------------------------------------------------------------------------------

TEST(TaskBlocksTest, HandlesDroppedWhereNoLoopRunsDoNotPileUp) {
  std::vector<Task<int>> tasks;
  run([&] {
    for (int i = 0; i < 2000; ++i) tasks.push_back(create_task([i] { return i; }));
    for (const auto& task : tasks) await(task);
  });
  std::thread([kept = tasks]() mutable { kept.clear(); }).join();
  tasks.clear();
  // There is none under a sanitizer or valgrind.
  if (const BlockPool* const pool = BlockPool::of_this_thread(); pool != nullptr) {
    EXPECT_LE(pool->free_count(), BlockPool::keep_warm);
  }
}

TEST(TaskBlocksTest, AYieldNeedsOneLineOfABlockAndAWaitTwo) {
  run([] {
    const AnyTask self = current_task();
    const detail::TaskControl& task = self.control();
    const auto line_of = [&](const void* member) {
      return (reinterpret_cast<std::uintptr_t>(member) - reinterpret_cast<std::uintptr_t>(&task)) /
             BlockPool::line;
    };
    for (const void* member : std::initializer_list<const void*>{
             &task.next_ready, &task.priority, &task.cancel_pending, &task.stack_lines,
             &task.budget, &task.look_at, &task.first_look, &task.no_suspend, &task.suspensions,
             &task.fiber.saved, &task.fiber.caught, &task.fiber.uncaught,
             &task.fiber.error_number}) {
      EXPECT_EQ(0U, line_of(member));
    }
    for (const void* member : std::initializer_list<const void*>{
             &task.no_cancel, &task.scheduler, &task.waiter, &task.scope, &task.id,
             &task.uncaught_base, &task.abandoned}) {
      EXPECT_LE(line_of(member), 1U);
    }
  });
}

TEST(TaskBlocksTest, AResultMayWantMoreThanALine) {
  struct alignas(512) Wide {
    std::byte bytes[2048];
  };
  run([] {
    const Task<Wide> task = create_task([] { return Wide{}; });
    await(AnyTask{task});
    EXPECT_EQ(0U, reinterpret_cast<std::uintptr_t>(&task.result()) % 512);
  });
}

TEST(TaskBlocksTest, HandlesMayGoWhenTheThreadsOwnVariablesDo) {
  std::thread([] {
    thread_local std::vector<Task<int>> last;  // made before the pool, so it goes after it
    last.reserve(3);
    run([] {
      for (int i = 0; i < 3; ++i) last.push_back(create_task([i] { return i; }));
      for (const auto& task : last) await(task);
    });
  }).join();
}

}  // namespace
}  // namespace asyncio::test
