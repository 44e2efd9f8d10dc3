// Every order in which a wait can be completed, failed, cancelled, timed out and cancelled again
// within one turn, for each call that waits: one of them decides, and nothing is lost or doubled.
#include <algorithm>
#include <array>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <utility>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

enum class Act { complete, fail, cancel, timeout, cancel_again };
using Order = std::vector<Act>;

std::string name_of(Act act) {
  constexpr std::array names{"complete", "fail", "cancel", "timeout", "cancel_again"};
  return names[static_cast<std::size_t>(act)];
}

std::string name_of(const Order& order) {
  std::string text = "order:";
  for (const Act act : order) text.append(" ").append(name_of(act));
  return text;
}

bool has(const Order& order, Act act) {
  return std::find(order.begin(), order.end(), act) != order.end();
}

// Every order of every subset of the five.
std::vector<Order> all_orders() {
  std::vector<Order> orders{{}};
  for (std::size_t i = 0; i < orders.size(); ++i) {  // grows as it goes
    for (int act = 0; act < 5; ++act) {
      if (has(orders[i], static_cast<Act>(act))) continue;
      Order longer = orders[i];
      longer.push_back(static_cast<Act>(act));
      orders.push_back(std::move(longer));
    }
  }
  return orders;
}

// One wait of one task, made anew for each order.
struct Situation {
  virtual ~Situation() = default;
  // In the waiting task: the call that waits, and what its caller does with what it gave.
  virtual void wait() = 0;
  // In the driver, which does not suspend meanwhile.  Both may find the wait over already.
  virtual void complete() = 0;
  virtual void fail() {}
  // After everything: nothing lost, nothing doubled.  `waited`: what the call did.
  virtual void check(const std::string& /*waited*/, const Order&) {}
  // What the call must do: return, fail, or be cancelled; "blocked" if nothing ends it.
  virtual std::string expected(const Order& order) const {
    for (const bool late : {false, true}) {
      for (const Act act : order) {
        const bool is_late =
            (act == Act::complete && late_completion) || (act == Act::fail && late_failure);
        if (is_late != late) continue;
        if (act == Act::complete) return "returned";
        if (act == Act::fail) {
          if (can_fail) return "failed";
          continue;
        }
        return "cancelled";
      }
    }
    return "blocked";
  }
  bool can_fail = true;
  // Known to the waiter only later than what the driver does in its own slice.
  bool late_completion = false;
  bool late_failure = false;
};

class InterleavingsTest : public LoopTest {
 protected:
  template <class Make>
  void in_every_order(Make make) {
    run([&] {
      for (const Order& order : all_orders()) {
        SCOPED_TRACE(name_of(order));
        {
          const std::unique_ptr<Situation> situation = make(clock);
          play(*situation, order);
        }
        reports.clear();  // a failure that came too late for its caller is reported: no loss
        if (HasFatalFailure()) return;
      }
    });
  }

 private:
  static void play(Situation& situation, const Order& order) {
    std::string waited = "blocked";
    bool in_time = false;
    CancellationScope* limit = nullptr;
    auto waiter = create_task([&] {
      in_time = CancellationScope::try_run([&](CancellationScope& scope) {
        limit = &scope;
        try {
          situation.wait();
          waited = "returned";
        } catch (const Cancelled&) {
          waited = "cancelled";
          throw;
        } catch (const std::exception&) {
          waited = "failed";
        }
        checkpoint();
      });
    });
    settle();
    ASSERT_FALSE(waiter.is_done()) << "it did not wait";
    for (const Act act : order) {
      switch (act) {
        case Act::complete:
          situation.complete();
          break;
        case Act::fail:
          situation.fail();
          break;
        case Act::cancel:
        case Act::cancel_again:
          EXPECT_TRUE(waiter.cancel());
          break;
        case Act::timeout:
          limit->set_deadline(get_event_loop().now());
          break;
      }
    }
    settle();
    const std::string expected = situation.expected(order);
    if (expected == "blocked") {
      EXPECT_EQ("blocked", waited);
      situation.complete();
    }
    await_end(waiter, situation);
    const bool cancelled = has(order, Act::cancel) || has(order, Act::cancel_again);
    EXPECT_EQ(expected == "blocked" ? "returned" : expected, waited);
    EXPECT_EQ(cancelled ? TaskState::cancelled : TaskState::completed, waiter.state())
        << "a cancel is never lost";
    if (!cancelled) {
      EXPECT_EQ(!has(order, Act::timeout), in_time) << "nor is a deadline";
    }
    situation.check(waited, order);
  }

  static void await_end(const Task<void>& waiter, Situation& situation) {
    settle();
    if (!waiter.is_done()) situation.complete();  // a thread it has to wait for, cancelled or not
    try {
      await(waiter);
    } catch (const TaskCancelledException&) {
    }
  }
};

template <class T>
auto made() {
  return [](TestClock&) { return std::make_unique<T>(); };
}

// ---- Time and descriptors -----------------------------------------------------------------------

TEST_F(InterleavingsTest, Sleep) {
  struct Sleeping : Situation {
    explicit Sleeping(TestClock& test_clock) : time(test_clock) {
      can_fail = false;
      late_completion = true;
    }
    void wait() override { sleep(1h); }
    void complete() override { time.advance(1h); }
    void check(const std::string&, const Order&) override {
      EXPECT_EQ(0u, get_event_loop().statistics().timers);
    }
    TestClock& time;
  };
  in_every_order([](TestClock& time) { return std::make_unique<Sleeping>(time); });
}

TEST_F(InterleavingsTest, Descriptor) {
  struct Reading : Situation {
    Reading() { late_completion = true; }
    void wait() override { wait_readable(pair.a()); }
    void complete() override {
      pair.write(1, "x");
      ++written;
    }
    void fail() override { notify_closing(pair.a()); }
    void check(const std::string&, const Order&) override {
      EXPECT_EQ(0u, get_event_loop().statistics().fd_waiters);
      EXPECT_EQ(std::string(static_cast<std::size_t>(written), 'x'), pair.read(0));
    }
    SocketPair pair;
    int written = 0;
  };
  in_every_order(made<Reading>());
}

// ---- Locks --------------------------------------------------------------------------------------

TEST_F(InterleavingsTest, SemaphoreAcquire) {
  struct Acquiring : Situation {
    Acquiring() { gate->acquire(); }
    void wait() override {
      gate->acquire();
      if (gate != nullptr) gate->release();  // destroyed after it had handed over
    }
    void complete() override {
      if (gate == nullptr) return;
      gate->release();
      released = true;
    }
    void fail() override { gate.reset(); }
    void check(const std::string&, const Order&) override {
      if (gate == nullptr) return;
      EXPECT_EQ(released ? 1 : 0, gate->available());
      EXPECT_EQ(0u, gate->waiting_count());
    }
    std::unique_ptr<Semaphore> gate = std::make_unique<Semaphore>(1);
    bool released = false;
  };
  in_every_order(made<Acquiring>());
}

TEST_F(InterleavingsTest, SemaphoreAcquireInLine) {
  struct Acquiring : Situation {
    Acquiring() {
      can_fail = false;
      gate.acquire();
      next = create_task([this] {
        go.wait();
        gate.acquire();
        gate.release();
      });
    }
    void wait() override {
      go.set();  // the other runs once this one waits
      gate.acquire();
      gate.release();
    }
    void complete() override {
      if (std::exchange(released, true)) return;
      gate.release();
    }
    void check(const std::string&, const Order&) override {
      EXPECT_EQ(released, next.is_done()) << "the permit reaches the next in line";
      complete();
      await(next);
      EXPECT_EQ(1, gate.available());
    }
    Event go;
    Semaphore gate{1};
    Task<void> next;
    bool released = false;
  };
  in_every_order(made<Acquiring>());
}

TEST_F(InterleavingsTest, MutexLock) {
  struct Locking : Situation {
    Locking() {
      can_fail = false;
      mutex.lock();
    }
    void wait() override { const std::lock_guard guard{mutex}; }
    void complete() override {
      if (mutex.owned_by_current_task()) mutex.unlock();
    }
    void check(const std::string&, const Order& order) override {
      EXPECT_EQ(0u, mutex.waiting_count());
      if (!has(order, Act::complete) && mutex.owned_by_current_task()) mutex.unlock();
      EXPECT_FALSE(mutex.is_locked());
    }
    Mutex mutex;
  };
  in_every_order(made<Locking>());
}

TEST_F(InterleavingsTest, RwLockLock) {
  struct Locking : Situation {
    explicit Locking(bool want_all) : exclusive(want_all) {
      can_fail = false;
      lock.lock();
    }
    void wait() override {
      if (exclusive) {
        const std::unique_lock guard{lock};
      } else {
        const std::shared_lock guard{lock};
      }
    }
    void complete() override {
      if (std::exchange(held, false)) lock.unlock();
    }
    void check(const std::string&, const Order&) override {
      EXPECT_EQ(0u, lock.waiting_count());
      complete();
      EXPECT_FALSE(lock.has_writer());
      EXPECT_EQ(0u, lock.reader_count());
    }
    RwLock lock;
    bool exclusive;
    bool held = true;
  };
  for (const bool exclusive : {true, false}) {
    in_every_order([&](TestClock&) { return std::make_unique<Locking>(exclusive); });
  }
}

TEST_F(InterleavingsTest, ConditionWait) {
  struct Waiting : Situation {
    Waiting() {
      can_fail = false;
      other = create_task([this] {
        go.wait();
        const std::unique_lock guard{mutex};
        changed.wait();
        other_notified = true;
      });
    }
    void wait() override {
      const std::unique_lock guard{mutex};
      go.set();
      try {
        changed.wait();
      } catch (...) {
        EXPECT_TRUE(mutex.owned_by_current_task());
        throw;
      }
      EXPECT_TRUE(mutex.owned_by_current_task());
    }
    void complete() override {
      const std::lock_guard guard{mutex};
      changed.notify();
      ++notified;
    }
    void check(const std::string& waited, const Order&) override {
      EXPECT_EQ(notified - (waited == "returned" ? 1 : 0), other_notified ? 1 : 0)
          << "a notification reaches one of the two";
      other.cancel();
      settle();
      EXPECT_EQ(0u, changed.waiting_count());
      EXPECT_FALSE(mutex.is_locked());
    }
    Mutex mutex;
    Condition changed{mutex};
    Event go;
    Task<void> other;
    int notified = 0;
    bool other_notified = false;
  };
  in_every_order(made<Waiting>());
}

// ---- Signals between tasks ----------------------------------------------------------------------

TEST_F(InterleavingsTest, EventWait) {
  struct Waiting : Situation {
    void wait() override { event->wait(); }
    void complete() override {
      if (event) event->set();
    }
    void fail() override { event.reset(); }
    std::optional<Event> event{std::in_place};
  };
  in_every_order(made<Waiting>());
}

TEST_F(InterleavingsTest, BarrierWait) {
  struct Waiting : Situation {
    void wait() override { barrier.wait(); }
    void complete() override {
      if (barrier.waiting_count() == 1) barrier.wait();  // the last to come does not wait
    }
    void fail() override { barrier.abort(); }
    void check(const std::string&, const Order&) override {
      EXPECT_EQ(0, barrier.waiting_count());
      barrier.reset();
      auto one = create_task([&] { barrier.wait(); });
      barrier.wait();
      await(one);
    }
    Barrier barrier{2};
  };
  in_every_order(made<Waiting>());
}

TEST_F(InterleavingsTest, FutureGet) {
  struct Waiting : Situation {
    void wait() override { EXPECT_EQ(7, await(future)); }
    void complete() override {
      if (!future.is_done()) future.set_result(7);
    }
    void fail() override {
      if (!future.is_done()) {
        future.set_exception(std::make_exception_ptr(std::runtime_error("told")));
      }
    }
    Future<int> future;
  };
  in_every_order(made<Waiting>());
}

// ---- Queues -------------------------------------------------------------------------------------

TEST_F(InterleavingsTest, QueueGet) {
  struct Getting : Situation {
    void wait() override {
      EXPECT_EQ(7, *queue.get());
      ++taken;
    }
    void complete() override {
      if (queue.is_closed()) return;
      queue.put(std::make_unique<int>(7));
      ++put;
    }
    void fail() override { queue.close(); }
    void check(const std::string&, const Order&) override {
      EXPECT_EQ(put, taken + static_cast<int>(queue.size()));
      EXPECT_EQ(0u, queue.stats().waiting_getters);
    }
    Queue<std::unique_ptr<int>> queue;
    int put = 0;
    int taken = 0;
  };
  in_every_order(made<Getting>());
}

TEST_F(InterleavingsTest, QueuePut) {
  struct Putting : Situation {
    Putting() { queue.put(std::make_unique<int>(1)); }
    void wait() override {
      try {
        queue.put(std::move(item));
      } catch (...) {
        EXPECT_NE(nullptr, item) << "the caller still has it";
        throw;
      }
      EXPECT_EQ(nullptr, item);
    }
    void complete() override {
      if (queue.try_get()) ++got;
    }
    void fail() override { queue.close(); }
    void check(const std::string& waited, const Order&) override {
      const int put = waited == "returned" ? 2 : 1;
      EXPECT_EQ(put, got + static_cast<int>(queue.size()));
      EXPECT_EQ(0u, queue.stats().waiting_putters);
    }
    Queue<std::unique_ptr<int>> queue{1};
    std::unique_ptr<int> item = std::make_unique<int>(2);
    int got = 0;
  };
  in_every_order(made<Putting>());
}

TEST_F(InterleavingsTest, QueuePutRendezvous) {
  struct Putting : Situation {
    void wait() override {
      try {
        queue.put(std::move(item));
      } catch (...) {
        EXPECT_NE(nullptr, item);
        throw;
      }
      EXPECT_EQ(nullptr, item);
    }
    void complete() override {
      if (queue.try_get()) ++got;
    }
    void fail() override { queue.close(); }
    void check(const std::string& waited, const Order&) override {
      EXPECT_EQ(waited == "returned" ? 1 : 0, got);
    }
    Queue<std::unique_ptr<int>> queue{0};
    std::unique_ptr<int> item = std::make_unique<int>(2);
    int got = 0;
  };
  in_every_order(made<Putting>());
}

// ---- Tasks --------------------------------------------------------------------------------------

// Waits for a task that waits for a future, so what the future tells comes through a turn later.
struct WaitingForATask : Situation {
  WaitingForATask() { late_completion = late_failure = true; }
  auto body() {
    return [this] { return await(future); };
  }
  void complete() override {
    if (!future.is_done()) future.set_result(7);
  }
  void fail() override {
    if (!future.is_done())
      future.set_exception(std::make_exception_ptr(std::runtime_error("told")));
  }
  void check(const std::string&, const Order&) override {
    EXPECT_TRUE(child.is_done()) << "nothing outlives the call that owns it";
  }
  Future<int> future;
  Task<int> child;
};

TEST_F(InterleavingsTest, AwaitTask) {
  struct Awaiting : WaitingForATask {
    Awaiting() { child = create_task(body()); }
    void wait() override { EXPECT_EQ(7, await(child)); }
    void check(const std::string&, const Order&) override {
      complete();  // a waiter that goes leaves the task alone
      settle();
      EXPECT_NE(TaskState::cancelled, child.state());
      EXPECT_TRUE(child.is_done());
      if (child.state() == TaskState::failed) child.exception();
    }
  };
  in_every_order(made<Awaiting>());
}

TEST_F(InterleavingsTest, WaitFor) {
  struct Waiting : WaitingForATask {
    Waiting() { child = create_task(body()); }
    void wait() override { EXPECT_EQ(7, wait_for(child, 1h)); }
  };
  in_every_order(made<Waiting>());
}

TEST_F(InterleavingsTest, Gather) {
  struct Gathering : WaitingForATask {
    Gathering() { child = create_task(body()); }
    void wait() override {
      auto sibling = create_task([] { return 8; });
      const auto [first, second] = gather(child, sibling);
      EXPECT_EQ(7, first);
      EXPECT_EQ(8, second);
    }
  };
  in_every_order(made<Gathering>());
}

// A failure of a child that its cancel did not prevent wins over the cancel, which stays pending.
struct WaitingForAGroup : WaitingForATask {
  std::string expected(const Order& order) const override {
    return !order.empty() && order.front() == Act::fail ? "failed"
                                                        : WaitingForATask::expected(order);
  }
};

TEST_F(InterleavingsTest, TaskGroupWaitAll) {
  struct Joining : WaitingForAGroup {
    void wait() override {
      TaskGroup group;
      child = group.spawn(body());
      group.wait_all();
    }
  };
  in_every_order(made<Joining>());
}

TEST_F(InterleavingsTest, TaskGroupRun) {
  struct Joining : WaitingForAGroup {
    void wait() override {
      TaskGroup::run([this](TaskGroup& group) { child = group.spawn(body()); });
    }
  };
  in_every_order(made<Joining>());
}

// ---- Threads ------------------------------------------------------------------------------------

TEST_F(InterleavingsTest, ToThread) {
  struct Working : Situation {
    Working() { late_completion = late_failure = true; }
    void wait() override {
      EXPECT_EQ(7, to_thread([this] {
                  const int value = promise.get_future().get();
                  ran = true;
                  return value;
                }));
    }
    void complete() override {
      if (!std::exchange(told, true)) promise.set_value(7);
    }
    void fail() override {
      if (!std::exchange(told, true)) {
        promise.set_exception(std::make_exception_ptr(std::runtime_error("told")));
      }
    }
    // The thread is waited for, and what it gives is delivered; a cancel stays pending.
    std::string expected(const Order& order) const override {
      for (const Act act : order) {
        if (act == Act::complete) return "returned";
        if (act == Act::fail) return "failed";
      }
      return "blocked";
    }
    void check(const std::string& waited, const Order&) override {
      EXPECT_TRUE(told) << "the thread was waited for";
      if (waited == "returned") {
        EXPECT_TRUE(ran);
      }
    }
    std::promise<int> promise;
    bool told = false;
    bool ran = false;
  };
  in_every_order(made<Working>());
}

}  // namespace
}  // namespace asyncio::test
