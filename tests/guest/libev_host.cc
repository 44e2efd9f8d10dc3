#include <list>
#include <utility>

#include <asyncio/backends/libev.h>
#include <asyncio/tests/guest/host.h>

namespace asyncio::test {
namespace {

class LibevHost final : public Host {
 public:
  LibevHost() : loop_(ev_loop_new(EVFLAG_AUTO)) {}
  ~LibevHost() override {
    if (loop_ != nullptr) ev_loop_destroy(loop_);
  }

  std::unique_ptr<EventLoopInterface> attach(const AttachOptions& options) override {
    return asyncio::attach(loop_, options);
  }
  bool run() override {
    ev_run(loop_, 0);
    return true;
  }
  void look() override { ev_run(loop_, EVRUN_NOWAIT); }
  void poll_once() override { look(); }
  void end_run() override { ev_break(loop_, EVBREAK_ONE); }

  void after(Duration delay, std::function<void()> callback) override {
    Timer& timer = timers_.emplace_back();
    timer.host = this;
    timer.callback = std::move(callback);
    ev_now_update(loop_);
    ev_timer_init(&timer.native, &Timer::fire, std::chrono::duration<double>(delay).count(), 0.);
    timer.native.data = &timer;
    ev_timer_start(loop_, &timer.native);
  }
  void when_readable(int fd, std::function<void()> callback) override {
    Watch& watch = watches_.emplace_back();
    watch.host = this;
    watch.callback = std::move(callback);
    ev_io_init(&watch.native, &Watch::fire, fd, EV_READ);
    watch.native.data = &watch;
    ev_io_start(loop_, &watch.native);
  }
  std::size_t pending() const override { return timers_.size() + watches_.size(); }
  void after_fork() override { ev_loop_fork(loop_); }
  void destroy() override { ev_loop_destroy(std::exchange(loop_, nullptr)); }

  bool may_be_nested() const override { return true; }

 private:
  struct Timer {
    static void fire(struct ev_loop* /*loop*/, ev_timer* native, int /*events*/) {
      auto& self = *static_cast<Timer*>(native->data);
      const auto callback = std::move(self.callback);
      self.host->timers_.remove_if([&](const Timer& other) { return &other == &self; });
      callback();
    }
    LibevHost* host = nullptr;
    std::function<void()> callback;
    ev_timer native;
  };
  struct Watch {
    static void fire(struct ev_loop* loop, ev_io* native, int /*events*/) {
      auto& self = *static_cast<Watch*>(native->data);
      const auto callback = std::move(self.callback);
      ev_io_stop(loop, native);
      self.host->watches_.remove_if([&](const Watch& other) { return &other == &self; });
      callback();
    }
    LibevHost* host = nullptr;
    std::function<void()> callback;
    ev_io native;
  };

  struct ev_loop* loop_;
  std::list<Timer> timers_;
  std::list<Watch> watches_;
};

}  // namespace

std::unique_ptr<Host> make_libev_host();  // host.cc declares it likewise

std::unique_ptr<Host> make_libev_host() { return std::make_unique<LibevHost>(); }

}  // namespace asyncio::test
