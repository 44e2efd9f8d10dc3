// Awaitables and coroutines as other libraries have them.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace somebody_elses {

/// Completes when told to, on whichever thread that is.
class Manual {
 public:
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> coroutine) noexcept { waiting_ = coroutine; }
  int await_resume() {
    if (exception_ != nullptr) std::rethrow_exception(exception_);
    return value_;
  }

  bool is_awaited() const noexcept { return waiting_ != nullptr; }
  void complete(int value) {
    value_ = value;
    std::exchange(waiting_, nullptr).resume();
  }
  void fail(const char* why) {
    exception_ = std::make_exception_ptr(std::runtime_error(why));
    std::exchange(waiting_, nullptr).resume();
  }
  void drop() { std::exchange(waiting_, nullptr).destroy(); }

 private:
  std::coroutine_handle<> waiting_;
  std::exception_ptr exception_;
  int value_ = 0;
};

/// One that can be stopped, by a free function.
struct Stoppable : Manual {
  int stops = 0;
  std::optional<int> answer;  // to a stop: a value, or else an exception
};
inline void request_stop(Stoppable& awaitable) {
  ++awaitable.stops;
  if (awaitable.answer) return awaitable.complete(*awaitable.answer);
  awaitable.fail("stopped");
}

/// Completes on a thread of its own.
class OnThread {
 public:
  ~OnThread() {
    if (thread_.joinable()) thread_.join();
  }
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> coroutine) {
    thread_ = std::thread{[this, coroutine] {
      value_ = "from a thread";
      coroutine.resume();
    }};
  }
  std::string await_resume() { return value_; }

 private:
  std::string value_;
  std::thread thread_;
};

/// A coroutine that begins when it is awaited, as many libraries have it.
template <class T>
class Lazy {
 public:
  struct promise_type {
    Lazy get_return_object() {
      return Lazy{std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    auto final_suspend() noexcept {
      struct Back {
        bool await_ready() noexcept { return false; }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) noexcept {
          return self.promise().waiting;
        }
        void await_resume() noexcept {}
      };
      return Back{};
    }
    template <class V>
    void return_value(V&& result) {
      value.emplace(std::forward<V>(result));
    }
    void unhandled_exception() { exception = std::current_exception(); }
    std::coroutine_handle<> waiting;
    std::optional<T> value;
    std::exception_ptr exception;
  };

  explicit Lazy(std::coroutine_handle<promise_type> coroutine) : coroutine_(coroutine) {}
  Lazy(Lazy&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
  ~Lazy() {
    if (coroutine_ != nullptr) coroutine_.destroy();
  }

  auto operator co_await() && {
    struct Await {
      std::coroutine_handle<promise_type> coroutine;
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) noexcept {
        coroutine.promise().waiting = waiting;
        return coroutine;
      }
      T await_resume() {
        if (coroutine.promise().exception) std::rethrow_exception(coroutine.promise().exception);
        return *std::move(coroutine.promise().value);
      }
    };
    return Await{coroutine_};
  }

 private:
  std::coroutine_handle<promise_type> coroutine_;
};

/// A coroutine that runs at once, and is destroyed with its handle.
class Routine {
 public:
  struct promise_type {
    Routine get_return_object() {
      return Routine{std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() { throw; }
  };
  Routine(Routine&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
  ~Routine() {
    if (coroutine_ != nullptr) coroutine_.destroy();
  }
  bool is_done() const { return coroutine_.done(); }

 private:
  explicit Routine(std::coroutine_handle<promise_type> coroutine) : coroutine_(coroutine) {}
  std::coroutine_handle<promise_type> coroutine_;
};

/// Awaited by a free operator.
struct Number {
  int value;
};
struct NumberAwaiter {
  int value;
  bool await_ready() const noexcept { return true; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  int await_resume() const noexcept { return value; }
};
inline NumberAwaiter operator co_await(Number number) { return {number.value}; }

template <class F>
struct AtOnce {
  explicit AtOnce(F function) : give(std::move(function)) {}
  F give;
  bool await_ready() const noexcept { return true; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  decltype(auto) await_resume() { return give(); }
};

}  // namespace somebody_elses
