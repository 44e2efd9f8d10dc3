// A first-in, first-out buffer that keeps its memory: a queue in use allocates nothing.
//
// A value's destructor is user code and may call back into the buffer, so values leave it before
// they are destroyed.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>

namespace asyncio::detail {

template <class T>
class RingBuffer {
 public:
  RingBuffer() = default;
  ~RingBuffer() {
    while (!empty()) take();
    if (slots_ != nullptr) std::allocator<T>{}.deallocate(slots_, capacity_);
  }
  RingBuffer(const RingBuffer&) = delete;
  RingBuffer& operator=(const RingBuffer&) = delete;

  bool empty() const noexcept { return count_ == 0; }
  std::size_t size() const noexcept { return count_; }

  void push(T&& value) {
    if (count_ == capacity_) grow();
    std::construct_at(slots_ + (head_ + count_) % capacity_, std::move(value));
    ++count_;
  }
  /// Requires: not empty.
  T take() noexcept {
    T* const slot = slots_ + head_;
    T value = std::move(*slot);
    head_ = (head_ + 1) % capacity_;
    --count_;
    std::destroy_at(slot);
    return value;
  }
  void swap(RingBuffer& other) noexcept {
    std::swap(slots_, other.slots_);
    std::swap(capacity_, other.capacity_);
    std::swap(head_, other.head_);
    std::swap(count_, other.count_);
  }

 private:
  void grow() {
    const std::size_t larger = capacity_ == 0 ? 8 : capacity_ * 2;
    T* slots = std::allocator<T>{}.allocate(larger);
    for (std::size_t i = 0; i < count_; ++i) {
      T& value = slots_[(head_ + i) % capacity_];
      std::construct_at(slots + i, std::move(value));
      std::destroy_at(&value);
    }
    if (slots_ != nullptr) std::allocator<T>{}.deallocate(slots_, capacity_);
    slots_ = slots;
    capacity_ = larger;
    head_ = 0;
  }

  T* slots_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t head_ = 0;
  std::size_t count_ = 0;
};

}  // namespace asyncio::detail
