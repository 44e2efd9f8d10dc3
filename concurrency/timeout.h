// Regions with a deadline, and regions that must not be disturbed.
#pragma once

#include <utility>

#include <asyncio/concurrency/cancellation_scope.h>
#include <asyncio/core/time.h>

namespace asyncio {

/// Runs `body` in this task, for at most `limit`, and returns its result.
///
/// With zero or less, the first suspending call ends it; a body that never suspends completes.
/// Throws: TimeoutException, after the body has unwound; otherwise as CancellationScope::run.
template <DurationLike D, class F>
decltype(auto) timeout(D limit, F&& body) {
  return CancellationScope::run(std::forward<F>(body),
                                {.timeout = to_duration(limit), .name = "timeout"});
}

/// Runs `body` in this task with cancels from outside kept out; they arrive at the first suspending
/// call after it.
template <class F>
decltype(auto) shield(F&& body) {
  return CancellationScope::run(std::forward<F>(body), {.shield = true, .name = "shield"});
}

/// A shield for cleanup that must not hang: as shield(), but for at most `limit`.  It works even in
/// a destructor that runs during unwinding.
/// Throws: TimeoutException, after the body has unwound.
template <DurationLike D, class F>
decltype(auto) shield_for(D limit, F&& body) {
  return CancellationScope::run(
      std::forward<F>(body), {.timeout = to_duration(limit), .shield = true, .name = "shield_for"});
}

}  // namespace asyncio
