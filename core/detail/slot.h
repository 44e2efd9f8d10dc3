// A value that is not there yet, or a reference, or nothing at all, behind one interface.
#pragma once

#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace asyncio::detail {

/// Uninitialised room for a T.  The owner knows whether it is filled and calls destroy().
template <class T>
class Slot {
 public:
  Slot() noexcept {}
  ~Slot() {}
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  /// Fills the slot with what `make()` returns, without a move.
  template <class F>
  void fill(F&& make) {
    ::new (const_cast<void*>(static_cast<const volatile void*>(std::addressof(value_))))
        T(std::forward<F>(make)());
  }
  void destroy() noexcept { value_.~T(); }
  const T& get() const noexcept { return value_; }
  T& get() noexcept { return value_; }
  T take() { return std::move(value_); }

 private:
  union {
    T value_;
  };
};

template <class T>
class Slot<T&> {
 public:
  template <class F>
  void fill(F&& make) {
    value_ = std::addressof(std::forward<F>(make)());
  }
  void destroy() noexcept {}
  T& get() const noexcept { return *value_; }
  T& take() const noexcept { return *value_; }

 private:
  T* value_ = nullptr;
};

template <>
class Slot<void> {
 public:
  template <class F>
  void fill(F&& make) {
    std::forward<F>(make)();
  }
  void destroy() noexcept {}
  void get() const noexcept {}
  void take() const noexcept {}
};

/// A Slot that knows whether it is filled.
template <class T>
class MaybeValue {
 public:
  MaybeValue() = default;
  ~MaybeValue() {
    if (filled_) slot_.destroy();
  }
  MaybeValue(const MaybeValue&) = delete;
  MaybeValue& operator=(const MaybeValue&) = delete;

  template <class F>
  void fill(F&& make) {
    slot_.fill(std::forward<F>(make));
    filled_ = true;
  }
  bool filled() const noexcept { return filled_; }
  /// Requires: filled.
  decltype(auto) get() const noexcept { return slot_.get(); }
  /// Requires: filled.
  T take() { return slot_.take(); }

 private:
  Slot<T> slot_;
  bool filled_ = false;
};

/// What result() hands out: a const reference, the reference itself, or nothing.
template <class T>
using ResultView = std::conditional_t<std::is_void_v<T> || std::is_reference_v<T>, T,
                                      std::add_lvalue_reference_t<const T>>;

}  // namespace asyncio::detail
