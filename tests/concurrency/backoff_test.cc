// Delays between attempts, and how many there may be.
#include <chrono>
#include <set>
#include <stdexcept>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class BackoffOfATaskTest : public LoopTest {};

TEST(BackoffTest, TheCeilingGrowsUpToTheMost) {
  Backoff backoff{{.first = 10ms, .most = 50ms, .factor = 2}};
  for (const Duration ceiling : {10ms, 20ms, 40ms, 50ms, 50ms}) {
    EXPECT_EQ(ceiling, backoff.ceiling());
    const Duration delay = backoff.next();
    EXPECT_LE(Duration::zero(), delay);
    EXPECT_GE(ceiling, delay);
  }
  EXPECT_EQ(5u, backoff.attempts());
  backoff.reset();
  EXPECT_EQ(0u, backoff.attempts());
  EXPECT_EQ(10ms, backoff.ceiling());
}

TEST(BackoffTest, DelaysAreSpreadOverAllThatIsAllowed) {
  Backoff backoff{{.first = 1s, .most = 1s, .seed = 7}};
  int low = 0;
  for (int i = 0; i < 1000; ++i) low += backoff.next() < 500ms ? 1 : 0;
  EXPECT_LT(400, low);
  EXPECT_GT(600, low);
}

TEST(BackoffTest, ASeedRepeatsThemAndNoSeedDoesNot) {
  Backoff one{{.seed = 1}};
  Backoff same{{.seed = 1}};
  Backoff other{{.seed = 2}};
  EXPECT_EQ(one.next(), same.next());
  EXPECT_NE(one.next(), other.next());
  std::set<Duration> first;
  for (int i = 0; i < 8; ++i) first.insert(Backoff{{.first = 1h, .most = 1h}}.next());
  EXPECT_LT(1u, first.size());
}

TEST(BackoffTest, AHugeFactorDoesNotOverflow) {
  Backoff backoff{{.first = 1ms, .most = Duration::max(), .factor = 1e300}};
  backoff.next();
  EXPECT_EQ(Duration::max(), backoff.ceiling());
  EXPECT_LE(Duration::zero(), backoff.next());
}

TEST_F(BackoffOfATaskTest, WaitSleepsThatLong) {
  run([this] {
    Backoff backoff{{.first = 1s, .most = 1s, .seed = 3}};
    Backoff same{{.first = 1s, .most = 1s, .seed = 3}};
    backoff.wait();
    EXPECT_EQ(same.next(), elapsed());
  });
}

TEST(BackoffTest, WhatMakesNoSenseIsRefused) {
  EXPECT_THROW(Backoff({.first = 0s}), std::invalid_argument);
  EXPECT_THROW(Backoff({.first = 2s, .most = 1s}), std::invalid_argument);
  EXPECT_THROW(Backoff({.factor = 0.5}), std::invalid_argument);
  EXPECT_THROW(RetryBudget({.ratio = -1}), std::invalid_argument);
  EXPECT_THROW(RetryBudget({.reserve = 2, .most = 1}), std::invalid_argument);
}

TEST(BackoffTest, ABudgetAllowsAShareOfTheAttempts) {
  RetryBudget budget{{.ratio = 0.1, .reserve = 3, .most = 50}};
  int retries = 0;
  for (int i = 0; i < 1000; ++i) {
    budget.on_attempt();
    retries += budget.try_retry() ? 1 : 0;  // everything fails
  }
  EXPECT_EQ(103, retries);
  EXPECT_EQ(103u, budget.retried());
  EXPECT_EQ(897u, budget.refused());
}

TEST(BackoffTest, ABudgetSavesUpNoMoreThanItsMost) {
  RetryBudget budget{{.ratio = 0.5, .reserve = 0, .most = 2}};
  EXPECT_FALSE(budget.try_retry());
  for (int i = 0; i < 100; ++i) budget.on_attempt();
  EXPECT_EQ(2, budget.left());
  EXPECT_TRUE(budget.try_retry());
  EXPECT_TRUE(budget.try_retry());
  EXPECT_FALSE(budget.try_retry());
}

}  // namespace
}  // namespace asyncio::test
