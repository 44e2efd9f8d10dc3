// Pool: connections that are dear to make, lent to one task at a time.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include <asyncio/core/export.h>
#include <asyncio/core/time.h>
#include <asyncio/resource/async_resource.h>
#include <asyncio/resource/detail/pool_core.h>
#include <asyncio/resource/pool_options.h>
#include <asyncio/resource/pool_stats.h>

namespace asyncio {

/// What a pool must know of its connections.  Each may capture what it needs; only `dial` has to be
/// there.
template <class T>
struct Connector {
  /// Makes one.  It runs in a task of the pool's own, for at most PoolOptions::dial_timeout, and
  /// throws if it cannot.
  std::function<std::unique_ptr<T>()> dial;
  /// Returns whether an idle one may be lent: its peer has not closed it, and nothing unasked has
  /// come.  It must not suspend.  Empty: always.
  std::function<bool(T&)> look = {};
  /// Asks the peer for a sign of life, and throws if there is none; for at most
  /// PoolOptions::ping_timeout.  Empty: a look must do.
  std::function<void(T&)> ping = {};
  /// Says goodbye to the peer, for at most PoolOptions::close_timeout; then T is destroyed.  Only
  /// what is not in the middle of anything is asked to.  Empty: destroying is enough.
  std::function<void(T&)> close = {};
  /// In a forked child, before T is destroyed there: lets go without telling the peer, whose
  /// connection is the parent's.  It must not suspend or throw.  Empty: destroying tells nothing.
  std::function<void(T&)> forsake = {};
};

/// A connection on loan.  It goes back to its pool when this goes, from the task or the callback
/// that holds it then.
///
/// A lease may outlive its pool's close(), and the pool itself: the connection is then destroyed
/// when it comes back.
/// Threads: the loop's thread.
template <class T>
class [[nodiscard]] Lease {
 public:
  Lease() = default;
  Lease(Lease&& other) noexcept : slot_(std::move(other.slot_)) {}
  Lease& operator=(Lease&& other) noexcept {
    Lease old = std::move(*this);
    slot_ = std::move(other.slot_);
    return *this;
  }
  ~Lease() { release(); }

  explicit operator bool() const noexcept { return slot_ != nullptr; }
  T& operator*() const noexcept { return *slot()->value; }
  T* operator->() const noexcept { return slot()->value.get(); }

  /// Runs `operation(connection)`, one exchange with the peer, and returns its result.  Does it not
  /// return, because it throws or is cancelled, then nobody knows what the peer sends next: the
  /// connection is dirty, and will be discarded.
  template <class F>
  decltype(auto) operate(F&& operation) {
    slot_->dirty = true;
    if constexpr (std::is_void_v<std::invoke_result_t<F&, T&>>) {
      std::invoke(operation, **this);
      slot_->dirty = false;
    } else {
      decltype(auto) result = std::invoke(operation, **this);
      slot_->dirty = false;
      return static_cast<std::invoke_result_t<F&, T&>>(std::forward<decltype(result)>(result));
    }
  }
  /// For operations that are no single call: begins one, until mark_clean().
  void mark_dirty() noexcept { slot_->dirty = true; }
  /// Says that the protocol has come to rest: whatever was asked for has been answered.
  void mark_clean() noexcept { slot_->dirty = false; }
  bool is_dirty() const noexcept { return slot_ != nullptr && slot_->dirty; }

  /// Gives the connection back.  Harmless if there is none.
  /// Suspends: never; a goodbye is said by a task of the pool's.
  void release() noexcept {
    if (slot_ != nullptr) detail::PoolCore::put_back(std::move(slot_));
  }
  /// Gives it back as one that is not to be used again.
  void discard() noexcept {
    if (slot_ != nullptr) {
      detail::PoolCore::put_back_unusable(std::move(slot_));
    }
  }

 private:
  template <class>
  friend class Pool;
  using Slot = detail::TypedPoolSlot<T>;
  explicit Lease(std::unique_ptr<detail::PoolSlot> slot) noexcept : slot_(std::move(slot)) {}
  Slot* slot() const noexcept { return static_cast<Slot*>(slot_.get()); }

  std::unique_ptr<detail::PoolSlot> slot_;
};

/// Lends connections.  Each is lent to one task at a time, the one that came back last first, so
/// that the rest grow idle and are let go.  Who must wait is served in order of arrival: nobody
/// overtakes, and a connection that comes back goes directly to the first in line.
///
/// The pool's own work, dials and pings and goodbyes, is done by tasks of the scope in which the
/// pool was made: make it where it is to live, and end it with close(), by hand or by
/// AsyncResourceManager.  Every connection counts against max_size, whatever it is doing.
///
/// A dial that fails is repeated after a growing, random delay.  Who waits learns of the failure at
/// once if no other connection could serve them; otherwise they wait on.
///
/// In a forked child a pool is empty: it has let go of the parent's connections.
/// Threads: the loop's thread.
template <class T>
class Pool : public AsyncResource {
 public:
  /// Throws: std::invalid_argument for options that make no sense, or a Connector without `dial`;
  /// NotInTaskError outside a task.
  explicit Pool(Connector<T> connector, const PoolOptions& options = {})
      : core_(detail::PoolCore::make(std::make_unique<Driver>(std::move(connector)), options)) {}
  /// Waiting tasks get ClosedError; idle connections go without a goodbye; dials are cancelled and
  /// joined.  It waits only for that.
  ~Pool() override { core_->abandon(); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Borrows a connection.
  /// Suspends: unless one is idle, and needs no ping (or the task's budget is spent).
  /// Cancels: Cancelled; a connection that was being made for it goes to the next in line.
  /// Throws: PoolTimeout after PoolOptions::acquire_timeout; PoolFullError if too many wait
  /// already; what `dial` threw, if no connection is left that could be waited for; ClosedError;
  /// NotInTaskError.
  /// Cost: no allocation if one is idle.
  Lease<T> acquire() { return Lease<T>{core_->acquire("Pool::acquire")}; }

  /// Borrows a connection for `body(connection)`, and returns its result.  If the body throws, the
  /// connection is not used again; see Lease::operate().
  template <std::invocable<T&> F>
  decltype(auto) with(F&& body) {
    Lease<T> lease = acquire();
    return lease.operate(std::forward<F>(body));
  }

  PoolStats stats() const { return core_->stats(); }
  const std::string& name() const noexcept { return core_->options().name; }

  /// As close(PoolOptions::drain_timeout).
  void close() override { core_->close(core_->options().drain_timeout); }
  /// Lends no more; tasks that wait get ClosedError; dials are cancelled.  Waits for what is lent
  /// to come back, for at most `drain`, and for goodbyes.  What comes back later is let go then.
  /// Returns whether everything had come back.
  /// Suspends: always.
  /// Cancels: Cancelled; the pool is closed all the same.
  template <DurationLike D>
  bool close(D drain) {
    return core_->close(to_duration(drain));
  }
  bool is_closed() const noexcept override { return core_->is_closed(); }

 private:
  struct Driver final : detail::PoolDriver {
    using Slot = detail::TypedPoolSlot<T>;
    explicit Driver(Connector<T> from) : connector(std::move(from)) {
      can_dial = static_cast<bool>(connector.dial);
      can_ping = static_cast<bool>(connector.ping);
      can_close = static_cast<bool>(connector.close);
    }
    static T& value(detail::PoolSlot& slot) noexcept { return *static_cast<Slot&>(slot).value; }

    std::unique_ptr<detail::PoolSlot> dial() override {
      std::unique_ptr<T> made = connector.dial();
      if (made == nullptr) return nullptr;
      auto slot = std::make_unique<Slot>();
      slot->value = std::move(made);
      return slot;
    }
    bool look(detail::PoolSlot& slot) override {
      return !connector.look || connector.look(value(slot));
    }
    void ping(detail::PoolSlot& slot) override { connector.ping(value(slot)); }
    void close(detail::PoolSlot& slot) override { connector.close(value(slot)); }
    void forsake(detail::PoolSlot& slot) noexcept override {
      if (connector.forsake) connector.forsake(value(slot));
    }

    Connector<T> connector;
  };

  std::shared_ptr<detail::PoolCore> core_;
};

}  // namespace asyncio
