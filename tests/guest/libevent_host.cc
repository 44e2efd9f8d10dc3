#include <list>
#include <utility>

#include <asyncio/backends/libevent.h>
#include <asyncio/tests/guest/host.h>

namespace asyncio::test {
namespace {

class LibeventHost final : public Host {
 public:
  LibeventHost() : base_(event_base_new()) {}
  ~LibeventHost() override {
    ones_.clear();
    if (base_ != nullptr) event_base_free(base_);
  }

  std::unique_ptr<EventLoopInterface> attach(const AttachOptions& options) override {
    return asyncio::attach(base_, options);
  }
  bool run() override { return event_base_dispatch(base_) >= 0; }
  void look() override { event_base_loop(base_, EVLOOP_NONBLOCK | EVLOOP_ONCE); }
  void poll_once() override { event_base_loop(base_, EVLOOP_NONBLOCK); }
  void end_run() override { event_base_loopbreak(base_); }

  void after(Duration delay, std::function<void()> callback) override {
    const auto micros = std::chrono::ceil<std::chrono::microseconds>(delay).count();
    timeval wait{};
    wait.tv_sec = micros / 1'000'000;
    wait.tv_usec = micros % 1'000'000;
    event_add(add(-1, 0, std::move(callback)), &wait);
  }
  void when_readable(int fd, std::function<void()> callback) override {
    event_add(add(fd, EV_READ, std::move(callback)), nullptr);
  }
  std::size_t pending() const override { return ones_.size(); }
  void after_fork() override { event_reinit(base_); }
  void destroy() override {
    ones_.clear();
    event_base_free(std::exchange(base_, nullptr));
  }

  bool may_be_nested() const override { return false; }

 private:
  struct One {
    ~One() { event_free(native); }
    static void fire(evutil_socket_t /*fd*/, short /*what*/, void* argument) {
      auto& self = *static_cast<One*>(argument);
      const auto callback = std::move(self.callback);
      self.host->ones_.remove_if([&](const One& other) { return &other == &self; });
      callback();
    }
    LibeventHost* host = nullptr;
    std::function<void()> callback;
    event* native = nullptr;
  };

  event* add(int fd, short what, std::function<void()> callback) {
    One& one = ones_.emplace_back();
    one.host = this;
    one.callback = std::move(callback);
    one.native = event_new(base_, fd, what, &One::fire, &one);
    return one.native;
  }

  event_base* base_;
  std::list<One> ones_;
};

}  // namespace

std::unique_ptr<Host> make_libevent_host();  // host.cc declares it likewise

std::unique_ptr<Host> make_libevent_host() { return std::make_unique<LibeventHost>(); }

}  // namespace asyncio::test
