// An intrusive doubly linked list: linking, unlinking and waking allocate nothing.
#pragma once

#include <cstddef>

namespace asyncio::detail {

/// A place in at most one List.  Knows how to leave it without knowing which list it is.
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
  void push_front(T& item) noexcept { static_cast<ListNode&>(item).insert_before(*head_.next); }

  /// The oldest, or null.
  T* front() const noexcept { return empty() ? nullptr : static_cast<T*>(head_.next); }

  T* pop_front() noexcept {
    T* item = front();
    if (item != nullptr) static_cast<ListNode*>(item)->unlink();
    return item;
  }

  /// Moves everything here, behind what `other` had.
  void append_to(List& other) noexcept {
    while (T* item = pop_front()) other.push_back(*item);
  }

  /// What the last item's `next` points at.
  const ListNode* end() const noexcept { return &head_; }

  std::size_t count() const noexcept {
    std::size_t n = 0;
    for (const ListNode* node = head_.next; node != &head_; node = node->next) ++n;
    return n;
  }

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

}  // namespace asyncio::detail
