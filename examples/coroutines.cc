// Tasks and C++20's coroutines wait for each other.
#include <chrono>
#include <coroutine>
#include <exception>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include <asyncio/asyncio.h>

using namespace std::chrono_literals;

// Stands for a library of somebody else's, which knows nothing of asyncio.
namespace lib {

template <class T>
class Lazy {
 public:
  struct promise_type {
    struct Back {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> done) noexcept {
        return done.promise().waiting;
      }
      void await_resume() noexcept {}
    };
    Lazy get_return_object() {
      return Lazy{std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    Back final_suspend() noexcept { return {}; }
    void return_value(T result) { value = std::move(result); }
    void unhandled_exception() { exception = std::current_exception(); }

    std::coroutine_handle<> waiting;
    std::optional<T> value;
    std::exception_ptr exception;
  };

  Lazy(Lazy&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
  ~Lazy() {
    if (coroutine_ != nullptr) coroutine_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) noexcept {
    coroutine_.promise().waiting = waiting;
    return coroutine_;
  }
  T await_resume() {
    promise_type& promise = coroutine_.promise();
    if (promise.exception != nullptr) std::rethrow_exception(promise.exception);
    return *std::move(promise.value);
  }

 private:
  explicit Lazy(std::coroutine_handle<promise_type> coroutine) : coroutine_(coroutine) {}
  std::coroutine_handle<promise_type> coroutine_;
};

// Completes on a thread of its own.
class Measure {
 public:
  explicit Measure(std::string text) : text_(std::move(text)) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    std::thread{[this, waiting] {
      length_ = static_cast<int>(text_.size());
      waiting.resume();
    }}.detach();
  }
  int await_resume() const noexcept { return length_; }

 private:
  std::string text_;
  int length_ = 0;
};

// Never fires, but can be stopped.
class Timer {
 public:
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) noexcept { waiting_ = waiting; }
  void await_resume() const { throw std::runtime_error("the timer was stopped"); }

  void stop() { std::exchange(waiting_, nullptr).resume(); }

 private:
  std::coroutine_handle<> waiting_;
};

// Tells the timer to end early; it then throws.
void request_stop(Timer& timer) { timer.stop(); }

}  // namespace lib

namespace {

lib::Lazy<std::string> greet(std::string name) {
  const int length = co_await lib::Measure{name};  // completes on another thread
  co_return name + " has " + std::to_string(length) + " letters";
}

lib::Lazy<int> sum(asyncio::Task<int> a, asyncio::Task<int> b) {
  // A callback of the loop resumes it when the task has ended.
  co_return co_await a + co_await b;
}

int after(asyncio::Duration delay, int value) {
  asyncio::sleep(delay);
  return value;
}

}  // namespace

int main() {
  asyncio::run([] {
    std::cout << asyncio::await(greet("asyncio")) << '\n';
    std::cout << asyncio::await(lib::Measure{"fiber"}) << '\n';

    const auto near = asyncio::create_task([] { return after(1ms, 2); });
    const auto far = asyncio::create_task([] { return after(2ms, 3); });
    std::cout << "sum: " << asyncio::await(sum(near, far)) << '\n';

    try {
      asyncio::timeout(1ms, [] {
        lib::Timer timer;
        asyncio::await(timer);
      });
    } catch (const asyncio::TimeoutException&) {
      std::cout << "the timer was told to stop\n";
    }
  });
}
