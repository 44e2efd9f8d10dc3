// Backoff and RetryBudget: how long to wait before trying again, and whether to try at all.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

#include <asyncio/core/export.h>
#include <asyncio/core/time.h>

namespace asyncio {

/// How delays grow.
struct BackoffOptions {
  Duration first = std::chrono::milliseconds{100};  ///< what the first delay is at most
  Duration most = std::chrono::seconds{30};         ///< what no delay exceeds
  double factor = 2;                                ///< by how much each is longer than the last
  /// Where the random numbers begin; nullopt: somewhere else each time.
  std::optional<std::uint64_t> seed = {};
};

/// Delays between attempts, with full jitter: each is drawn evenly from zero up to a ceiling, and
/// the ceiling grows.  So clients that have failed together do not come back together.
///
/// Threads: one at a time.
class ASYNCIO_API Backoff {
 public:
  /// Throws: std::invalid_argument unless 0 < first <= most, and factor >= 1.
  explicit Backoff(const BackoffOptions& options = {});

  /// Returns the next delay.  Suspends: never.
  Duration next();
  /// Sleeps for the next delay.
  /// Suspends: always.  Cancels: Cancelled; the delay counts as taken.
  /// Throws: NotInTaskError.
  void wait();
  /// After a success: the next delay is a first one.
  void reset() noexcept;

  /// How many delays were taken since the start, or the last reset().
  std::uint64_t attempts() const noexcept { return attempts_; }
  /// What the next delay is at most.
  Duration ceiling() const noexcept { return ceiling_; }

 private:
  BackoffOptions options_;
  Duration ceiling_;
  std::uint64_t attempts_ = 0;
  std::array<unsigned short, 3> random_;  ///< as the C library's erand48() keeps it
};

/// What a RetryBudget gives out.
struct RetryBudgetOptions {
  double ratio = 0.1;   ///< retries allowed for each first attempt, in the long run
  double reserve = 10;  ///< retries that are there at the start
  double most = 100;    ///< what successes can save up
};

/// Keeps retries a small share of all attempts, over every caller that shares it.  When a service
/// fails as a whole, retries only add to its load; a budget ends them after a few.
///
/// Call on_attempt() for each first attempt, and ask try_retry() before each further one.
/// Threads: one at a time.
/// Cost: a few additions.
class ASYNCIO_API RetryBudget {
 public:
  /// Throws: std::invalid_argument unless ratio >= 0 and 0 <= reserve <= most.
  explicit RetryBudget(const RetryBudgetOptions& options = {});

  /// Notes a first attempt, which earns a part of a retry.
  void on_attempt() noexcept;
  /// Takes one retry out of the budget.  Returns false if there is none: give up then.
  bool try_retry() noexcept;

  /// How many retries are left, parts included.
  double left() const noexcept { return left_; }
  std::uint64_t retried() const noexcept { return retried_; }
  std::uint64_t refused() const noexcept { return refused_; }

 private:
  RetryBudgetOptions options_;
  double left_;
  std::uint64_t retried_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace asyncio
