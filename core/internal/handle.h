// What handles on other threads share with a loop.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include <asyncio/core/detail/fork_mutex.h>
#include <asyncio/core/internal/reactor/inbox.h>
#include <asyncio/core/unique_function.h>

namespace asyncio::detail {

struct LoopHold;

/// Outlives the loop as long as somebody has a handle to it.
struct LoopShared {
  explicit LoopShared(Inbox& of_loop) noexcept : inbox(of_loop), epoch(of_loop.epoch()) {}

  /// Returns what the handles have in common, made anew if there are none.  Threads: any.
  static std::shared_ptr<LoopHold> hold(const std::shared_ptr<LoopShared>& shared);
  /// Does somebody have a handle?
  bool is_held() const;
  /// Leaves `callback` for the loop.  Threads: any.
  /// Throws: ClosedError if the loop is gone; std::invalid_argument for an empty callback.
  void post(UniqueFunction<void()> callback) const;

  Inbox& inbox;  ///< is never freed
  const std::uint64_t epoch;
  std::atomic<bool> closed{false};
  std::atomic<bool> stop_requested{false};

 private:
  mutable OwnedForkMutex mutex_;  // guards the pointer, not what it points at
  std::weak_ptr<LoopHold> hold_;
};

/// Lives as long as one of a loop's handles does.  When the last one goes, the loop is woken to
/// notice that nobody can call it any more.
struct LoopHold {
  explicit LoopHold(std::shared_ptr<LoopShared> loop) noexcept : shared(std::move(loop)) {}
  ~LoopHold() { shared->inbox.wake(); }
  LoopHold(const LoopHold&) = delete;
  LoopHold& operator=(const LoopHold&) = delete;
  std::shared_ptr<LoopShared> shared;
};

}  // namespace asyncio::detail
