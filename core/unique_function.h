// A move-only callable: what the loop queues and timers hold.
#pragma once

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace asyncio {

template <class Signature>
class UniqueFunction;

/// Owns one callable, which need not be copyable.  Empty after being moved from.
/// Cost: one allocation to make; a call is one indirection.
template <class R, class... Args>
class UniqueFunction<R(Args...)> {
 public:
  UniqueFunction() noexcept = default;
  UniqueFunction(std::nullptr_t) noexcept {}  // NOLINT(google-explicit-constructor)

  template <class F>
  requires(!std::same_as<std::remove_cvref_t<F>, UniqueFunction> &&
           std::is_invocable_r_v<R, std::decay_t<F>&, Args...>)
      UniqueFunction(F&& callable)  // NOLINT(google-explicit-constructor)
      : target_(std::make_unique<Holder<std::decay_t<F>>>(std::forward<F>(callable))) {}

  /// Requires: not empty.
  R operator()(Args... args) { return target_->call(std::forward<Args>(args)...); }

  explicit operator bool() const noexcept { return target_ != nullptr; }

 private:
  struct Target {
    virtual ~Target() = default;
    virtual R call(Args... args) = 0;
  };
  template <class F>
  struct Holder final : Target {
    template <class G>
    explicit Holder(G&& g) : callable(std::forward<G>(g)) {}
    R call(Args... args) override {
      if constexpr (std::is_void_v<R>) {
        callable(std::forward<Args>(args)...);
      } else {
        return callable(std::forward<Args>(args)...);
      }
    }
    F callable;
  };

  std::unique_ptr<Target> target_;
};

}  // namespace asyncio
