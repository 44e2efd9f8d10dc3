// A first-in, first-out buffer that keeps its memory: a queue in use allocates nothing.
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
    while (!empty()) pop();
    if (slots_ != nullptr) std::allocator<T>{}.deallocate(slots_, capacity_);
  }
  RingBuffer(const RingBuffer&) = delete;
  RingBuffer& operator=(const RingBuffer&) = delete;

  bool empty() const noexcept { return count_ == 0; }
  std::size_t size() const noexcept { return count_; }
  T& front() noexcept { return slots_[head_]; }

  void push(T&& value) {
    if (count_ == capacity_) grow();
    std::construct_at(slots_ + (head_ + count_) % capacity_, std::move(value));
    ++count_;
  }
  void pop() noexcept {
    std::destroy_at(slots_ + head_);
    head_ = (head_ + 1) % capacity_;
    --count_;
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
