// A program that uses more of libevent than others do, with busy tasks inside.
#include <memory>

#include <gtest/gtest.h>

#include <asyncio/asyncio.h>
#include <asyncio/backends/libevent.h>
#include <asyncio/tests/support/neighbours.h>

namespace asyncio::test {
namespace {

/// An event of the host's that is due again and again, until it has been called ten times.
class Tick {
 public:
  Tick(event_base* base, int priority) : base_(base), native_(event_new(base, -1, 0, fire, this)) {
    event_priority_set(native_, priority);
    add();
  }
  ~Tick() { event_free(native_); }
  Tick(const Tick&) = delete;
  Tick& operator=(const Tick&) = delete;
  int calls() const noexcept { return calls_; }

 private:
  static void fire(evutil_socket_t /*fd*/, short /*what*/, void* argument) {
    auto& self = *static_cast<Tick*>(argument);
    if (++self.calls_ < 10) {
      self.add();
    } else {
      event_base_loopbreak(self.base_);
    }
  }
  void add() {
    const timeval soon{0, 1'000};
    event_add(native_, &soon);
  }

  event_base* base_;
  event* native_;
  int calls_ = 0;
};

TEST(LibeventProgramTest, Pitfall6_BusyTasksLockOutNoEventOfLowPriority) {
  event_base* base = event_base_new();
  event_base_priority_init(base, 3);
  {
    EventLoop loop{attach(base)};
    Neighbours busy{loop};
    for (const int priority : {2, 1, 0}) {
      Tick tick{base, priority};
      event_base_dispatch(base);
      EXPECT_EQ(10, tick.calls()) << "of priority " << priority;
    }
    loop.shutdown();
  }
  event_base_free(base);
}

}  // namespace
}  // namespace asyncio::test
