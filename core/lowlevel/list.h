// An intrusive doubly linked list: linking, unlinking and waking allocate nothing.
#pragma once

#include <cstddef>

namespace asyncio::lowlevel {

/// A place in at most one List.  It can leave the list without knowing which one it is in.
struct ListNode {
  ListNode* prev = this;
  ListNode* next = this;

  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;

  bool linked() const noexcept { return next != this; }

  /// Leaves the list; harmless when not in one.
  void unlink() noexcept {
    prev->next = next;
    next->prev = prev;
    prev = next = this;
  }

  void insert_before(ListNode& position) noexcept {
    prev = position.prev;
    next = &position;
    position.prev->next = this;
    position.prev = this;
  }
};

/// First in, first out, over nodes that live elsewhere.  T derives from ListNode.
template <class T>
class List {
 public:
  bool empty() const noexcept { return !head_.linked(); }
  void push_back(T& item) noexcept { static_cast<ListNode&>(item).insert_before(head_); }

  /// The oldest, or null.
  T* front() const noexcept { return empty() ? nullptr : static_cast<T*>(head_.next); }

  /// Takes out the oldest and returns it; null if there is none.
  T* pop_front() noexcept {
    T* item = front();
    if (item != nullptr) static_cast<ListNode*>(item)->unlink();
    return item;
  }

  /// What the last item's `next` points at.
  const ListNode* end() const noexcept { return &head_; }

  /// Calls `visit(T&)` for each, oldest first.  `visit` may unlink the item it is given.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (ListNode* node = head_.next; node != &head_;) {
      ListNode* after = node->next;
      visit(static_cast<T&>(*node));
      node = after;
    }
  }

 private:
  ListNode head_;
};

}  // namespace asyncio::lowlevel
