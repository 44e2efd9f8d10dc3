// Channel: a queue with two kinds of ends, which closes itself when one kind is gone.
#pragma once

#include <cstddef>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include <asyncio/concurrency/queue.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/export.h>

namespace asyncio {
namespace detail {

/// Shared by the copies of one end; says that the other side is alone when the last of them goes.
template <class T>
struct SendingEnd {
  explicit SendingEnd(std::shared_ptr<Queue<T>> shared) noexcept : queue(std::move(shared)) {}
  SendingEnd(const SendingEnd&) = delete;
  SendingEnd& operator=(const SendingEnd&) = delete;
  ~SendingEnd() { queue->close(); }
  std::shared_ptr<Queue<T>> queue;
};
template <class T>
struct ReceivingEnd {
  explicit ReceivingEnd(std::shared_ptr<Queue<T>> shared) noexcept : queue(std::move(shared)) {}
  ReceivingEnd(const ReceivingEnd&) = delete;
  ReceivingEnd& operator=(const ReceivingEnd&) = delete;
  ~ReceivingEnd() { queue->close_now(); }
  std::shared_ptr<Queue<T>> queue;
};

[[noreturn]] ASYNCIO_API void throw_end_is_closed(const char* call);
[[noreturn]] ASYNCIO_API void throw_no_receiver(const char* call);
[[noreturn]] ASYNCIO_API void throw_no_sender(const char* call);

}  // namespace detail

/// The end of a channel that items go into.  Copies are ends of the same channel, which takes items
/// as long as there is a Receiver.
/// Threads: the loop's thread.
template <class T>
class Sender {
 public:
  explicit Sender(std::shared_ptr<detail::SendingEnd<T>> end) noexcept : end_(std::move(end)) {}

  /// Puts an item into the channel.
  /// Suspends: while the channel is full.
  /// Cancels: Cancelled; the item is not in the channel, and `item` still holds it.
  /// Throws: ClosedError, and `item` still holds it, when the last Receiver is gone, or after
  /// close(); NotInTaskError if it would have to wait outside a task.
  void send(T&& item) {
    const auto queue = open_queue("Sender::send");
    try {
      queue->put(std::move(item));
    } catch (const ClosedError&) {
      refuse("Sender::send");
    }
  }
  void send(const T& item) { send(T{item}); }

  /// Puts the item if that needs no waiting; otherwise `item` still holds it.  Suspends: never.
  /// Throws: ClosedError as send().
  bool try_send(T&& item) {
    const auto queue = open_queue("Sender::try_send");
    if (queue->is_closed()) refuse("Sender::try_send");
    return queue->try_put(std::move(item));
  }
  bool try_send(const T& item) { return try_send(T{item}); }

  /// Lets go of this end, as its destructor does.  Closing twice is the same as once.
  void close() noexcept { end_.reset(); }
  /// Is there still somebody who could receive?
  bool has_receiver() const noexcept { return end_ != nullptr && !end_->queue->is_closed(); }

 private:
  std::shared_ptr<Queue<T>> open_queue(const char* call) const {
    if (end_ == nullptr) detail::throw_end_is_closed(call);
    return end_->queue;
  }
  // This end may have been closed while the task waited.
  [[noreturn]] void refuse(const char* call) const {
    if (end_ == nullptr) detail::throw_end_is_closed(call);
    detail::throw_no_receiver(call);
  }

  std::shared_ptr<detail::SendingEnd<T>> end_;
};

/// The end of a channel that items come out of.  Copies share the items: each goes to one of them.
/// As a range, it ends when the last Sender is gone and the channel is drained:
/// `for (auto& item : receiver) use(item);`
/// Threads: the loop's thread.
template <class T>
class Receiver {
 public:
  explicit Receiver(std::shared_ptr<detail::ReceivingEnd<T>> end) noexcept : end_(std::move(end)) {}

  /// Takes the oldest item out of the channel.
  /// Suspends: while the channel is empty.
  /// Cancels: Cancelled, and no item was taken; one handed over before the cancel is returned.
  /// Throws: ClosedError when the last Sender is gone and nothing is left, or after close();
  /// NotInTaskError if it would have to wait outside a task.
  T receive() {
    if (std::optional<T> item = next("Receiver::receive")) return *std::move(item);
    detail::throw_no_sender("Receiver::receive");
  }
  /// As receive(), but the end of the items is no error: nullopt.
  std::optional<T> next() { return next("Receiver::next"); }
  /// Takes an item if that needs no waiting.  Suspends: never.
  /// Throws: ClosedError after close().
  std::optional<T> try_receive() { return open_queue("Receiver::try_receive")->try_get(); }

  /// Lets go of this end, as its destructor does.  With the last one, items that are left are
  /// dropped.
  void close() noexcept { end_.reset(); }
  /// Items that wait in the channel.
  std::size_t size() const noexcept { return end_ == nullptr ? 0 : end_->queue->size(); }

  class Iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using iterator_category = std::input_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using reference = T&;
    using pointer = void;

    explicit Iterator(Receiver& receiver) : receiver_(&receiver), item_(receiver.next()) {}
    T& operator*() const { return *item_; }
    Iterator& operator++() {
      item_.reset();
      if (std::optional<T> following = receiver_->next()) item_.emplace(*std::move(following));
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const noexcept { return !item_; }

   private:
    Receiver* receiver_;
    mutable std::optional<T> item_;
  };
  /// Suspends as next(), and so does each step.
  Iterator begin() { return Iterator{*this}; }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  std::shared_ptr<Queue<T>> open_queue(const char* call) const {
    if (end_ == nullptr) detail::throw_end_is_closed(call);
    return end_->queue;
  }
  std::optional<T> next(const char* call) {
    const auto queue = open_queue(call);
    try {
      return queue->get();
    } catch (const ClosedError&) {
      if (end_ == nullptr) detail::throw_end_is_closed(call);
      return std::nullopt;
    }
  }

  std::shared_ptr<detail::ReceivingEnd<T>> end_;
};

/// What make_channel() returns: `auto [sender, receiver] = make_channel<int>(10);`
template <class T>
struct Channel {
  Sender<T> sender;
  Receiver<T> receiver;
};

/// Makes a channel that holds `capacity` items; 0 makes each send() wait for a receive().
template <class T>
Channel<T> make_channel(std::size_t capacity) {
  auto queue = std::make_shared<Queue<T>>(capacity);
  return {Sender<T>{std::make_shared<detail::SendingEnd<T>>(queue)},
          Receiver<T>{std::make_shared<detail::ReceivingEnd<T>>(queue)}};
}
/// Makes one that is never full.
template <class T>
Channel<T> make_channel() {
  return make_channel<T>(std::numeric_limits<std::size_t>::max());
}

}  // namespace asyncio
