// Queue: items from tasks that put to tasks that get.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

#include <asyncio/concurrency/detail/ring_buffer.h>
#include <asyncio/core/export.h>
#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/wait_queue.h>

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

/// The part of a queue that does not depend on the item's type.
class ASYNCIO_API QueueBase {
 public:
  QueueBase(const QueueBase&) = delete;
  QueueBase& operator=(const QueueBase&) = delete;

  bool is_closed() const noexcept { return closed_; }
  std::size_t capacity() const noexcept { return capacity_; }

  /// Says that one item that was got has been dealt with.
  /// Throws: InvalidStateError if it is called more often than items were put.
  void task_done();
  /// Waits until every item put has been dealt with (task_done), or dropped by close_now().
  /// Suspends: unless none is left.  Cancels: Cancelled.
  void join();

 protected:
  explicit QueueBase(std::size_t capacity) noexcept : capacity_(capacity) {}
  ~QueueBase() = default;

  static constexpr lowlevel::WaitQueue::Kind get_wait{"queue, to get"};
  static constexpr lowlevel::WaitQueue::Kind put_wait{"queue, to put"};

  /// Parks in `line`, where `place` offers an item or room for one.
  /// Throws: ClosedError if the queue is closed meanwhile; Cancelled.
  static void wait_in(lowlevel::WaitQueue& line, lowlevel::WaitQueue::Place& place,
                      lowlevel::CurrentTask self, const char* call);
  void close_waiters() noexcept;
  void finish_items(std::size_t count) noexcept;
  [[noreturn]] static void throw_closed(const char* call);

  lowlevel::WaitQueue getters_;
  lowlevel::WaitQueue putters_;
  lowlevel::WaitQueue joiners_;
  std::size_t unfinished_ = 0;
  std::size_t capacity_;
  std::uint64_t put_ = 0;
  std::uint64_t got_ = 0;
  bool closed_ = false;
};

}  // namespace detail

/// First in, first out, fair to getters and to putters.  An item goes to the oldest waiting getter
/// directly, so a task that puts and gets in turn cannot steal its own item.
///
/// Queue<T>() is unbounded, Queue<T>(n) is bounded, and Queue<T>(0) is a rendezvous: put waits for
/// a getter.  Destroyed while tasks wait: they get ClosedError.
/// Threads: the loop's thread; callbacks may use try_put and try_get.
template <class T>
class Queue : public detail::QueueBase {
 public:
  Queue() noexcept : QueueBase(std::numeric_limits<std::size_t>::max()) {}
  explicit Queue(std::size_t capacity) noexcept : QueueBase(capacity) {}

  /// Puts an item.
  /// Suspends: while the queue is full.
  /// Cancels: Cancelled; the item is not in the queue, and `item` still holds it.
  /// Throws: ClosedError, and `item` still holds it; NotInTaskError if it would have to wait
  /// outside a task.
  /// Cost: no allocation once the queue has grown.
  void put(T&& item) {
    if (!lowlevel::in_task() && offer(item, "Queue::put")) return;
    lowlevel::CurrentTask self = lowlevel::enter("Queue::put");
    if (offer(item, "Queue::put")) return self.spend();
    Putter putter{item};
    wait_in(putters_, putter, self, "Queue::put");
  }
  void put(const T& item) { put(T{item}); }

  /// Gets the oldest item.
  /// Suspends: while the queue is empty.
  /// Cancels: Cancelled, and no item was taken; one handed over before the cancel is returned.
  /// Throws: ClosedError once the queue is closed and drained; NotInTaskError as put().
  T get() {
    if (!lowlevel::in_task()) {
      if (std::optional<T> item = try_get()) return *std::move(item);
    }
    lowlevel::CurrentTask self = lowlevel::enter("Queue::get");
    if (std::optional<T> item = try_get()) {
      self.spend();
      return *std::move(item);
    }
    if (closed_) throw_closed("Queue::get");
    Getter getter;
    wait_in(getters_, getter, self, "Queue::get");
    return *std::move(getter.item);
  }

  /// Puts the item if that needs no waiting; otherwise `item` still holds it.  Suspends: never.
  /// Throws: ClosedError.
  bool try_put(T&& item) { return offer(item, "Queue::try_put"); }
  bool try_put(const T& item) { return try_put(T{item}); }

  /// Gets an item if that needs no waiting.  Suspends: never.
  std::optional<T> try_get() {
    std::optional<T> item;
    if (!items_.empty()) {
      item.emplace(items_.take());
      if (auto* putter = static_cast<Putter*>(putters_.front())) {
        items_.push(std::move(putter->item));
        accept(*putter);
      }
    } else if (auto* putter = static_cast<Putter*>(putters_.front())) {
      item.emplace(std::move(putter->item));
      accept(*putter);
    }
    if (item) ++got_;
    return item;
  }

  /// Takes no more items: putters, present and future, get ClosedError; getters drain what is left
  /// first.  Closing twice is the same as once.  Suspends: never.
  void close() noexcept {
    closed_ = true;
    close_waiters();
  }
  /// As close(), but also drops what is left, which counts as dealt with for join().  Destructors
  /// of items find the queue closed and empty.
  void close_now() noexcept {
    detail::RingBuffer<T> dropped;  // destroyed last: an item may even be what owns the queue
    dropped.swap(items_);
    finish_items(dropped.size());
    close();
  }

  std::size_t size() const noexcept { return items_.size(); }
  bool empty() const noexcept { return items_.empty(); }
  bool full() const noexcept { return items_.size() >= capacity_; }
  QueueStats stats() const noexcept {
    return {put_, got_, items_.size(), getters_.size(), putters_.size()};
  }

 private:
  struct Getter : lowlevel::WaitQueue::Place {
    Getter() noexcept : Place(get_wait) {}
    std::optional<T> item;
  };
  struct Putter : lowlevel::WaitQueue::Place {
    explicit Putter(T& offered) noexcept : Place(put_wait), item(offered) {}
    T& item;  // the caller's, until somebody takes it
  };

  /// Takes note that the putter's item has been taken, and wakes the putter.
  void accept(Putter& putter) noexcept {
    ++put_;
    ++unfinished_;
    putters_.wake(putter);
  }

  bool offer(T& item, const char* call) {
    static_assert(std::is_nothrow_move_constructible_v<T>,
                  "an item whose move throws could get lost: use Queue<std::unique_ptr<T>>");
    if (closed_) throw_closed(call);
    if (auto* getter = static_cast<Getter*>(getters_.front())) {
      getter->item.emplace(std::move(item));
      ++got_;
      getters_.wake(*getter);
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
