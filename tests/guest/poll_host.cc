// A program around poll(2), as small as they come.
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <list>
#include <utility>
#include <vector>

#include <asyncio/backends/any_loop.h>
#include <asyncio/core/event_loop.h>
#include <asyncio/tests/guest/host.h>

namespace asyncio::test {
namespace {

class PollHost final : public Host {
 public:
  std::unique_ptr<EventLoopInterface> attach(const AttachOptions& /*options*/) override {
    return attach_by_descriptor();
  }
  void take_in(EventLoop& loop, const AttachOptions& options) override {
    guests_.push_back({&loop, options});
  }
  void let_go(EventLoop& loop) override {
    std::erase_if(guests_, [&](const Guest& guest) { return guest.loop == &loop; });
  }

  bool run() override {
    const bool outer = std::exchange(ended_, false);
    while (!ended_ && (pending() != 0 || guests_are_alive())) turn(true);
    ended_ = outer;
    return true;
  }
  void look() override { turn(false); }
  void poll_once() override { look(); }
  void end_run() override { ended_ = true; }

  void after(Duration delay, std::function<void()> callback) override {
    timers_.push_back({Clock::now() + delay, std::move(callback)});
  }
  void when_readable(int fd, std::function<void()> callback) override {
    watches_.push_back({fd, std::move(callback)});
  }
  std::size_t pending() const override { return timers_.size() + watches_.size(); }

  void after_fork() override {}
  void destroy() override {
    guests_.clear();
    timers_.clear();
    watches_.clear();
  }
  bool may_be_nested() const override { return true; }

 private:
  struct Guest {
    EventLoop* loop;
    AttachOptions options;
  };
  struct Timer {
    TimePoint due;
    std::function<void()> callback;
  };
  struct Watch {
    int fd;
    std::function<void()> callback;
  };

  bool guests_are_alive() const {
    return std::any_of(guests_.begin(), guests_.end(), [](const Guest& guest) {
      if (!guest.options.keeps_host_running) return false;
      const NativeHandle handle = guest.loop->native_handle();
      return handle.alive || handle.deadline == TimePoint::min();
    });
  }

  void turn(bool block) {
    std::vector<pollfd> polled;
    for (const Guest& guest : guests_) {
      polled.push_back({guest.loop->native_handle().fd, POLLIN, 0});
    }
    for (const Watch& watch : watches_) polled.push_back({watch.fd, POLLIN, 0});
    ::poll(polled.data(), polled.size(), block ? timeout() : 0);
    const auto guests = guests_;
    for (std::size_t i = 0; i < guests.size(); ++i) {
      if (polled[i].revents != 0) guests[i].loop->process(guests[i].options.budget);
    }
    for (std::size_t i = guests.size(); i < polled.size(); ++i) {
      if (polled[i].revents != 0) call_watch(polled[i].fd);
    }
    call_timers();
  }

  int timeout() const {
    if (timers_.empty()) return -1;
    const auto first = std::min_element(timers_.begin(), timers_.end(), earlier);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(first->due - Clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
  }
  void call_watch(int fd) {
    const auto found = std::find_if(watches_.begin(), watches_.end(),
                                    [fd](const Watch& watch) { return watch.fd == fd; });
    if (found == watches_.end()) return;
    const auto callback = std::move(found->callback);
    watches_.erase(found);
    callback();
  }
  void call_timers() {
    const TimePoint now = Clock::now();
    while (!timers_.empty() && !ended_) {
      const auto first = std::min_element(timers_.begin(), timers_.end(), earlier);
      if (first->due > now) break;
      const auto callback = std::move(first->callback);
      timers_.erase(first);
      callback();
    }
  }
  static bool earlier(const Timer& a, const Timer& b) { return a.due < b.due; }

  std::vector<Guest> guests_;
  std::list<Timer> timers_;
  std::list<Watch> watches_;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<Host> make_poll_host();  // host.cc declares it likewise

std::unique_ptr<Host> make_poll_host() { return std::make_unique<PollHost>(); }

}  // namespace asyncio::test
