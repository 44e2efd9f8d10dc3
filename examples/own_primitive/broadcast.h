// Broadcast<T>: what is sent, every subscription receives.  One that falls behind by more than
// `lag` items misses the oldest of them, so neither the sender nor the others wait for it.
#pragma once

#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/list.h>
#include <asyncio/core/lowlevel/wait_queue.h>

namespace third_party {

using asyncio::lowlevel::CurrentTask, asyncio::lowlevel::List, asyncio::lowlevel::ListNode;
using asyncio::lowlevel::WaitQueue, asyncio::lowlevel::Wake;

/// Destroyed while tasks wait: they get ClosedError.
/// Threads: the loop's thread; callbacks may send.
template <class T>
class Broadcast {
  // A copy that throws would leave out some subscribers.
  static_assert(std::is_nothrow_copy_constructible_v<T>, "use shared_ptr<const T>");

  static constexpr WaitQueue::Kind receive_wait{"broadcast"};

  struct Receiver : WaitQueue::Place {
    Receiver() noexcept : Place(receive_wait) {}
    std::optional<T> item;  // brought by whoever wakes it
  };

 public:
  /// Receives what is sent from now on.  Once its broadcast is gone it may only be destroyed.
  class Subscription : public ListNode {
   public:
    explicit Subscription(Broadcast& source) noexcept : source_(source), next_(source.sent_) {
      source.subscriptions_.push_back(*this);
    }
    ~Subscription() { unlink(); }

    /// Gives the oldest item that this subscription has neither given nor missed.
    /// Suspends: while there is none.
    /// Cancels: Cancelled, and nothing was taken; what was handed over before it is returned.
    /// Throws: ClosedError; NotInTaskError.
    T receive() { return *take(nullptr); }
    /// As receive(), but gives nothing if no item comes until `deadline`.
    std::optional<T> receive_until(asyncio::TimePoint deadline) { return take(&deadline); }

    std::size_t missed() const noexcept { return missed_; }

   private:
    friend class Broadcast;

    std::optional<T> take(const asyncio::TimePoint* deadline) {
      CurrentTask self = asyncio::lowlevel::enter("Broadcast::receive");
      if (next_ != source_.sent_) {
        std::optional<T> item = source_.items_[next_++ % source_.items_.size()];
        self.spend();
        return item;
      }
      Receiver receiver;
      const Wake outcome = deadline == nullptr ? receivers_.wait(self, receiver)
                                               : receivers_.wait_until(self, receiver, *deadline);
      if (outcome == Wake::broken) WaitQueue::throw_destroyed("Broadcast::receive", "broadcast");
      return std::move(receiver.item);  // nothing if the time was up first
    }

    Broadcast& source_;
    std::size_t next_;  // the number of the item that it gives next
    std::size_t missed_ = 0;
    WaitQueue receivers_;
  };

  /// Requires: lag >= 1.
  explicit Broadcast(std::size_t lag) : items_(lag) {}
  ~Broadcast() {
    while (Subscription* each = subscriptions_.pop_front()) each->receivers_.wake_all(Wake::broken);
  }

  /// Sends `item` to all who have subscribed.
  /// Suspends: never.
  void send(const T& item) noexcept {
    items_[sent_++ % items_.size()].emplace(item);
    subscriptions_.for_each([&](Subscription& each) {
      // A task waits only where everything has been given, so this item is its next one.
      if (auto* receiver = static_cast<Receiver*>(each.receivers_.front())) {
        receiver->item.emplace(item);
        ++each.next_;
        each.receivers_.wake(*receiver);
      } else if (sent_ - each.next_ > items_.size()) {
        ++each.next_;
        ++each.missed_;
      }
    });
  }

 private:
  List<Subscription> subscriptions_;
  std::vector<std::optional<T>> items_;  // item n at n % lag, until its place is needed
  std::size_t sent_ = 0;
};

}  // namespace third_party
