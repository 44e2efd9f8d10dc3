// What a pool does that has nothing to do with the type of its connections.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <asyncio/concurrency/backoff.h>
#include <asyncio/concurrency/task_group.h>
#include <asyncio/core/export.h>
#include <asyncio/core/lowlevel/loop.h>
#include <asyncio/core/lowlevel/wait_queue.h>
#include <asyncio/core/time.h>
#include <asyncio/core/timer_id.h>
#include <asyncio/resource/pool_options.h>
#include <asyncio/resource/pool_stats.h>

namespace asyncio::detail {

class PoolCore;

/// A connection and what its pool knows of it.  Whoever uses it owns it: the pool while it is idle,
/// a lease, or the task that dials, pings or closes.
struct ASYNCIO_API PoolSlot {
  PoolSlot() = default;
  virtual ~PoolSlot();
  PoolSlot(const PoolSlot&) = delete;
  PoolSlot& operator=(const PoolSlot&) = delete;

  std::shared_ptr<PoolCore> core;  ///< a lease may outlive the pool
  TimePoint retires_at{};
  TimePoint idle_since{};
  std::uint64_t process = 0;  ///< in which process it was made
  bool dirty = false;         ///< in the middle of an operation
};

template <class T>
struct TypedPoolSlot final : PoolSlot {
  std::unique_ptr<T> value;
};

/// The calls of a Connector, for slots of unknown type.
struct ASYNCIO_API PoolDriver {
  PoolDriver() = default;
  virtual ~PoolDriver();
  PoolDriver(const PoolDriver&) = delete;
  PoolDriver& operator=(const PoolDriver&) = delete;

  virtual std::unique_ptr<PoolSlot> dial() = 0;
  virtual bool look(PoolSlot& slot) = 0;
  virtual void ping(PoolSlot& slot) = 0;
  virtual void close(PoolSlot& slot) = 0;
  virtual void forsake(PoolSlot& slot) noexcept = 0;

  bool can_dial = false;
  bool can_ping = false;
  bool can_close = false;
};

/// The slots of a pool and the tasks that wait for one.
///
/// Whatever changes what is there ends with supply(), which starts as many dials and pings as
/// waiters need and limits allow.  A slot that has become free goes through offer(): to the first
/// waiter, or else to the idle ones.  User code (a look, a destructor, a callback of a group) runs
/// only when everything is consistent, for it may come back here.
class ASYNCIO_API PoolCore final : public std::enable_shared_from_this<PoolCore> {
 public:
  static std::shared_ptr<PoolCore> make(std::unique_ptr<PoolDriver> driver,
                                        const PoolOptions& options);
  PoolCore(std::unique_ptr<PoolDriver> driver, const PoolOptions& options);
  ~PoolCore();
  PoolCore(const PoolCore&) = delete;
  PoolCore& operator=(const PoolCore&) = delete;

  std::unique_ptr<PoolSlot> acquire(const char* call);
  static void put_back(std::unique_ptr<PoolSlot> slot) noexcept;
  static void put_back_unusable(std::unique_ptr<PoolSlot> slot) noexcept;

  bool close(Duration drain);
  /// The end of the Pool.
  void abandon() noexcept;
  bool is_closed() const noexcept { return closed_; }

  PoolStats stats() const;
  const PoolOptions& options() const noexcept { return options_; }

 private:
  enum class Work : std::uint8_t { dial, ping, goodbye };
  class InWork;
  struct Request;

  std::size_t size() const noexcept {
    return idle_.size() + lent_ + dialing_ + pinging_ + closing_;
  }
  std::size_t& counter(Work work) noexcept;

  // ---- Lending
  std::unique_ptr<PoolSlot> take_idle();
  bool needs_ping(const PoolSlot& slot, TimePoint now) const;
  bool is_fit(PoolSlot& slot, TimePoint now, DiscardReason& reason);
  void offer(std::unique_ptr<PoolSlot> slot);
  static void put_back(std::unique_ptr<PoolSlot> slot,
                       std::optional<DiscardReason> reason) noexcept;
  void fail_waiters(const std::exception_ptr& error) noexcept;
  [[noreturn]] void throw_timeout(const char* call);
  [[noreturn]] void throw_closed(const char* call) const;

  // ---- Supplying
  void supply(std::size_t newcomers = 0);
  void begin_dial();
  void run_dial(InWork& work);
  void begin_ping(std::unique_ptr<PoolSlot> slot);
  void run_ping(InWork& work, std::unique_ptr<PoolSlot> slot);
  void note_dial_failure(const std::exception_ptr& error);

  // ---- Letting go
  void retire(std::unique_ptr<PoolSlot> slot, DiscardReason reason);
  void say_goodbye(std::unique_ptr<PoolSlot> slot);
  void drop(std::unique_ptr<PoolSlot> slot);
  void begin_closing();
  void retire_idle(DiscardReason reason);
  void leave_parent_behind();
  void note_change() noexcept;

  // ---- Time
  void arm(TimePoint when);
  void arm_for_idle();
  void disarm() noexcept;
  void on_timer();

  const PoolOptions options_;
  const std::unique_ptr<PoolDriver> driver_;
  const lowlevel::LoopRef loop_;
  std::vector<std::unique_ptr<PoolSlot>> idle_;  ///< longest idle first
  std::size_t lent_ = 0;
  std::size_t dialing_ = 0;
  std::size_t pinging_ = 0;
  std::size_t closing_ = 0;
  lowlevel::WaitQueue waiting_;
  lowlevel::WaitQueue draining_;  ///< tasks in close()
  bool closed_ = false;

  Backoff backoff_;
  Backoff spread_;  ///< of lifetimes, so that connections made together do not end together
  TimePoint next_dial_at_ = TimePoint::min();  ///< after a failure
  std::string last_failure_;

  TimerId timer_{};
  TimePoint timer_at_ = TimePoint::max();
  std::uint64_t process_;
  PoolStats figures_;  ///< only what is counted over time

  std::optional<TaskGroup> makers_;  ///< dials and pings
  std::optional<TaskGroup> goodbyes_;
  TaskGroup* last_goodbyes_ = nullptr;  ///< of close(), when the pool's own scope may have ended
};

}  // namespace asyncio::detail
