// Signals for one loop: handlers by number, and the process-wide router behind them.
//
// A signal belongs to one loop at a time.  The handler in the kernel only marks it and wakes the
// loop; the callbacks for it run there, as any other callback.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <asyncio/core/internal/rooms.h>
#include <asyncio/core/unique_function.h>

namespace asyncio::detail {

class Signals {
 public:
  explicit Signals(const Rooms& rooms) noexcept : rooms_(rooms) {}
  ~Signals() { end(); }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// Gives every signal back.
  void end() noexcept;

  /// With `keeps_alive`, a loop with this handler may wait forever.
  /// Throws: as EventLoop::add_signal_handler.
  std::uint64_t add(int signo, UniqueFunction<void(int)> callback, bool keeps_alive = true);
  /// From now on, and until the last handler goes: the first time the signal is for the handlers,
  /// and the second time it has its default effect, whatever the loop is doing.
  void end_process_at_second(int signo) noexcept;
  bool remove(std::uint64_t id);
  bool remove_all(int signo);

  /// Calls the handlers of the signals that have arrived, until the loop is told to stop; the rest
  /// wait for its next run.  Cost: one load when nothing has arrived.
  void dispatch();

  /// In the child of a fork: what is here came along.
  void after_fork() noexcept;

  /// Returns whether the signal has its default disposition, as far as the program is concerned.
  /// Threads: any.
  static bool has_default(int signo);

  /// May the loop wait forever, for a signal that somebody handles?
  bool keep_loop_alive() const noexcept { return keeping_alive_ != 0; }

  static constexpr std::uint64_t first_id = 65;  // above every signal number

 private:
  struct Handler {
    std::uint64_t id;
    bool keeps_alive;
    std::shared_ptr<UniqueFunction<void(int)>> callback;
  };

  void forget(const Handler& handler) noexcept;

  const Rooms& rooms_;
  std::map<int, std::vector<Handler>> handlers_;
  std::size_t keeping_alive_ = 0;
  std::deque<std::pair<int, Handler>> due_;  ///< arrived, not yet called
  std::uint64_t next_id_ = first_id;
};

}  // namespace asyncio::detail
