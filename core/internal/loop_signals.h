// Signals for one loop: handlers by number, and the process-wide router behind them.
//
// A signal belongs to one loop at a time.  The handler in the kernel only marks it and wakes the
// loop; what was asked to be called runs there, as any callback.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <asyncio/core/unique_function.h>

namespace asyncio::detail {

class Loop;

class LoopSignals {
 public:
  explicit LoopSignals(Loop& loop) noexcept : loop_(loop) {}
  /// Gives every signal back.
  ~LoopSignals();
  LoopSignals(const LoopSignals&) = delete;
  LoopSignals& operator=(const LoopSignals&) = delete;

  /// `keeps_alive`: a loop with this handler may wait for ever.
  /// Throws: as EventLoop::add_signal_handler.
  std::uint64_t add(int signo, UniqueFunction<void(int)> callback, bool keeps_alive = true);
  bool remove(std::uint64_t id);
  bool remove_all(int signo);

  /// Calls the handlers of what has arrived, until the loop is told to stop; the rest is for its next
  /// run.  One load when nothing has arrived.
  void dispatch();

  static constexpr std::uint64_t first_id = 65;  // above every signal number

 private:
  struct Handler {
    std::uint64_t id;
    bool keeps_alive;
    std::shared_ptr<UniqueFunction<void(int)>> callback;
  };

  void forget(const Handler& handler) noexcept;

  Loop& loop_;
  std::map<int, std::vector<Handler>> handlers_;
  std::deque<std::pair<int, Handler>> due_;  ///< arrived, not yet called
  std::uint64_t next_id_ = first_id;
};

}  // namespace asyncio::detail
