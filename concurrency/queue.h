// Queue: items from tasks that put to tasks that get.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

#include <asyncio/concurrency/detail/ring_buffer.h>
#include <asyncio/core/detail/list.h>
#include <asyncio/core/detail/waiter.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/export.h>

namespace asyncio {

/// Figures about a queue since it was made.
struct QueueStats {
  std::uint64_t put = 0;
  std::uint64_t got = 0;
  std::size_t size = 0;
  std::size_t waiting_getters = 0;
  std::size_t waiting_putters = 0;
};

namespace detail {

/// What of a queue does not depend on the item.
class ASYNCIO_API QueueBase {
 public:
  QueueBase(const QueueBase&) = delete;
  QueueBase& operator=(const QueueBase&) = delete;

  bool is_closed() const noexcept { return closed_; }
  std::size_t capacity() const noexcept { return capacity_; }

  /// Says that one item that was got has been dealt with.
  /// Throws: InvalidStateError if that was said more often than items were put.
  void task_done();
  /// Waits until every item put has been dealt with (task_done), or dropped by close_now().
  /// Suspends: unless none is left.  Cancels: Cancelled.
  void join();

 protected:
  explicit QueueBase(std::size_t capacity) noexcept : capacity_(capacity) {}
  ~QueueBase();

  /// An item or a place for one, on the stack of the task that waits.
  struct Party : Waiter {
    Party(WaitKind kind, QueueBase& owner, std::size_t& count) noexcept;
    QueueBase& queue;
    std::size_t& waiting;
  };

  /// Parks in `line`.  Throws: ClosedError if the queue is closed meanwhile; Cancelled.
  void wait_in(List<Waiter>& line, Party& party, TaskControl& self, const char* call);
  /// The oldest of `line`, taken out of it and woken: the caller has moved, or moves, its item.
  template <class P>
  static P* take_first(List<Waiter>& line) noexcept {
    auto* party = static_cast<P*>(line.front());
    if (party != nullptr) --party->waiting;
    return party;
  }
  void close_waiters() noexcept;
  void finish_items(std::size_t count) noexcept;
  [[noreturn]] static void throw_closed(const char* call);

  List<Waiter> getters_;
  List<Waiter> putters_;
  List<Waiter> joiners_;
  std::size_t waiting_getters_ = 0;
  std::size_t waiting_putters_ = 0;
  std::size_t unfinished_ = 0;
  std::size_t capacity_;
  std::uint64_t put_ = 0;
  std::uint64_t got_ = 0;
  bool closed_ = false;
};

}  // namespace detail

/// First in, first out, fair to getters and to putters.  An item goes to the oldest waiting getter
/// directly, so a task that puts and gets by turns cannot steal its own item.
///
/// Queue<T>() is unbounded, Queue<T>(n) bounded, Queue<T>(0) a rendezvous: put waits for a getter.
/// Destroyed while tasks wait: they get ClosedError.
/// Threads: the loop's thread; callbacks may use try_put and try_get.
template <class T>
class Queue : public detail::QueueBase {
 public:
  Queue() noexcept : QueueBase(std::numeric_limits<std::size_t>::max()) {}
  explicit Queue(std::size_t capacity) noexcept : QueueBase(capacity) {}

  /// Puts an item.
  /// Suspends: while the queue is full.
  /// Cancels: Cancelled; the item is not in the queue, and `item` still holds it.
  /// Throws: ClosedError, `item` still holding it; NotInTaskError if it would have to wait outside a
  /// task.
  /// Cost: no allocation once the queue has grown.
  void put(T&& item) {
    if (detail::current_task_control() == nullptr && offer(item, "Queue::put")) return;
    detail::TaskControl& self = detail::enter_wait("Queue::put");
    if (offer(item, "Queue::put")) {
      detail::spend_budget(self);
      return;
    }
    Putter putter{*this, item};
    wait_in(putters_, putter, self, "Queue::put");
  }
  void put(const T& item) { put(T{item}); }

  /// Gets the oldest item.
  /// Suspends: while the queue is empty.
  /// Cancels: Cancelled, and no item was taken; one handed over before the cancel is returned.
  /// Throws: ClosedError once the queue is closed and drained; NotInTaskError as put().
  T get() {
    if (detail::current_task_control() == nullptr) {
      if (std::optional<T> item = try_get()) return *std::move(item);
    }
    detail::TaskControl& self = detail::enter_wait("Queue::get");
    if (std::optional<T> item = try_get()) {
      detail::spend_budget(self);
      return *std::move(item);
    }
    if (closed_) throw_closed("Queue::get");
    Getter getter{*this};
    wait_in(getters_, getter, self, "Queue::get");
    return *std::move(getter.item);
  }

  /// Puts if that needs no waiting; otherwise `item` still holds it.  Suspends: never.
  /// Throws: ClosedError.
  bool try_put(T&& item) { return offer(item, "Queue::try_put"); }
  bool try_put(const T& item) { return try_put(T{item}); }

  /// Gets if that needs no waiting.  Suspends: never.
  std::optional<T> try_get() {
    std::optional<T> item;
    if (!items_.empty()) {
      item.emplace(std::move(items_.front()));
      items_.pop();
      if (auto* putter = take_first<Putter>(putters_)) {
        items_.push(std::move(putter->item));
        accept(*putter);
      }
    } else if (auto* putter = take_first<Putter>(putters_)) {
      item.emplace(std::move(putter->item));
      accept(*putter);
    }
    if (item) ++got_;
    return item;
  }

  /// No more items: putters, waiting or to come, get ClosedError; getters drain what is left first.
  /// Closing twice is once.  Suspends: never.
  void close() noexcept {
    closed_ = true;
    close_waiters();
  }
  /// As close(), and drops what is left: for join() that is dealt with.
  void close_now() noexcept {
    const std::size_t dropped = items_.size();
    while (!items_.empty()) items_.pop();
    finish_items(dropped);
    close();
  }

  std::size_t size() const noexcept { return items_.size(); }
  bool empty() const noexcept { return items_.empty(); }
  bool full() const noexcept { return items_.size() >= capacity_; }
  QueueStats stats() const noexcept {
    return {put_, got_, items_.size(), waiting_getters_, waiting_putters_};
  }

 private:
  struct Getter : Party {
    explicit Getter(Queue& owner) noexcept
        : Party(detail::WaitKind::queue_get, owner, owner.waiting_getters_) {}
    std::optional<T> item;
  };
  struct Putter : Party {
    Putter(Queue& owner, T& offered) noexcept
        : Party(detail::WaitKind::queue_put, owner, owner.waiting_putters_), item(offered) {}
    T& item;  // the caller's, until somebody takes it
  };

  /// The putter's item has been moved on.
  void accept(Putter& putter) noexcept {
    ++put_;
    ++unfinished_;
    detail::wake(putter);
  }

  bool offer(T& item, const char* call) {
    static_assert(std::is_nothrow_move_constructible_v<T>,
                  "an item whose move throws could get lost: use Queue<std::unique_ptr<T>>");
    if (closed_) throw_closed(call);
    if (auto* getter = take_first<Getter>(getters_)) {
      getter->item.emplace(std::move(item));
      ++got_;
      detail::wake(*getter);
    } else if (putters_.empty() && items_.size() < capacity_) {
      items_.push(std::move(item));
    } else {
      return false;
    }
    ++put_;
    ++unfinished_;
    return true;
  }

  detail::RingBuffer<T> items_;
};

}  // namespace asyncio
