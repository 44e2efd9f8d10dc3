// The turn of the loop and its end, the same on every backend (cases L31 to L36 and L40).
#include <algorithm>
#include <array>
#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

using Strings = std::vector<std::string>;

class TurnConformance : public LoopTest {
 protected:
  std::uint64_t turns() { return loop().statistics().turns; }
  /// As a program that has set none.
  void no_exception_handler() { loop().set_exception_handler(nullptr); }
};

// ---- L31: the order of a turn -------------------------------------------------------------------

TEST_F(TurnConformance, L31_ReadyDataBeatsATimeoutOfTheSameTurn) {
  run([&] {
    SocketPair pair;
    auto reader = create_task([&] { return wait_readable(pair.a(), 10ms); });
    auto writer = create_task([&] { return wait_writable(pair.a(), 10ms); });
    await(writer);
    pair.fill(0);
    writer = create_task([&] { return wait_writable(pair.a(), 10ms); });
    settle();
    clock.advance(1h);  // both are long overdue
    pair.write(1, "x");
    pair.read(1);
    EXPECT_TRUE(await(reader));
    EXPECT_TRUE(await(writer));
  });
}

TEST_F(TurnConformance, L31_DescriptorsBeforeTimersOfTheSameTurn) {
  keep_order();
  run([&] {
    Strings order;
    SocketPair pair;
    auto reader = create_task([&] {
      wait_readable(pair.a());
      order.emplace_back("descriptor");
    });
    auto sleeper = create_task([&] {
      sleep(1ms);
      order.emplace_back("sleeper");
    });
    settle();
    clock.advance(1ms);
    pair.write(1, "x");
    await(sleeper);
    await(reader);
    EXPECT_EQ((Strings{"descriptor", "sleeper"}), order);
  });
}

TEST_F(TurnConformance, L31_TheReadyBatchIsASnapshot) {
  run([&] {
    Strings order;
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    std::uint64_t later = 0;
    call_soon([&] {
      order.emplace_back("first");
      first = turns();
      call_soon([&] {
        order.emplace_back("made by the first");
        later = turns();
      });
    });
    call_soon([&] {
      order.emplace_back("second");
      second = turns();
    });
    settle();
    EXPECT_EQ((Strings{"first", "second", "made by the first"}), order);
    EXPECT_EQ(first, second);
    EXPECT_EQ(first + 1, later);
  });
}

TEST_F(TurnConformance, L31_WhatBecomesReadyWaitsForTheNextPoll) {
  run([&] {
    SocketPair pair;
    pair.write(1, "x");
    Strings order;
    auto reader = create_task([&] {
      wait_readable(pair.a());
      order.emplace_back("descriptor");
    });
    std::function<void(int)> chain = [&](int left) {
      order.emplace_back("link");
      if (left > 0) call_soon([&, left] { chain(left - 1); });
    };
    call_soon([&] { chain(20); });
    await(reader);
    EXPECT_LE(std::count(order.begin(), order.end(), "link"), 4)
        << "a chain of callbacks kept the descriptors from being looked at";
    settle();
    EXPECT_EQ(22u, order.size());
  });
}

TEST_F(TurnConformance, L31_PostsAndSignalsComeAfterTheReadyBatchBeforeTheDescriptors) {
  keep_order();
  run([&] {
    Strings order;
    SocketPair pair;
    auto reader = create_task([&] {
      wait_readable(pair.a());
      order.emplace_back("descriptor");
    });
    settle();
    pair.write(1, "x");
    loop().call_later(0, [&] { order.emplace_back("timer"); });
    loop().call_soon_threadsafe([&] {
      order.emplace_back("post");
      call_soon([&] { order.emplace_back("made by the post"); });
    });
    call_soon([&] { order.emplace_back("callback"); });
    yield();  // "callback" is in the batch of this task's next slice
    await(reader);
    settle();
    const auto place = [&](const char* what) {
      return std::find(order.begin(), order.end(), what) - order.begin();
    };
    EXPECT_EQ(5u, order.size());
    EXPECT_LT(place("post"), place("descriptor"));
    EXPECT_LT(place("post"), place("made by the post"));
    EXPECT_LT(place("made by the post"), place("descriptor"));
  });
}

TEST_F(TurnConformance, L31_CallbacksRunInOrder) {
  run([&] {
    std::vector<int> order;
    for (int i = 0; i < 200; ++i) call_soon([&order, i] { order.push_back(i); });
    settle();
    EXPECT_EQ(200u, order.size());
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  });
}

// ---- L32: fairness ------------------------------------------------------------------------------

/// Everything that could keep a loop busy forever, all at once; counts how far each has come.
struct Commotion {
  explicit Commotion(EventLoop& noisy) : loop(noisy) {
    always_ready.write(1, "x");
    tasks.push_back(create_task([this] {
      while (!stop) {
        wait_readable(always_ready.a());
        step(0);
      }
    }));
    tasks.push_back(create_task([this] {
      while (!stop) {
        yield();
        step(1);
      }
    }));
    zero_timer = [this] {
      step(2);
      if (!stop) loop.call_later(0, zero_timer);
    };
    loop.call_later(0, zero_timer);
    post = [this] {
      step(3);
      if (!stop) loop.call_soon_threadsafe(post);
    };
    loop.call_soon_threadsafe(post);
    callback = [this] {
      step(4);
      if (!stop) loop.call_soon(callback);
    };
    loop.call_soon(callback);
    tasks.push_back(create_task([this] {
      while (!stop) {
        wait_writable(always_ready.a(), 1ms);
        step(5);
      }
    }));
    tasks.push_back(create_task([this] {
      while (!stop) {
        checkpoint();  // completes at once, but for its budget
        step(6);
      }
    }));
  }
  void step(std::size_t who) {
    const std::uint64_t now = loop.statistics().turns;
    longest_gap[who] = std::max(longest_gap[who], now - last[who]);
    last[who] = now;
    ++steps[who];
  }
  bool everybody_has(std::uint64_t count) const {
    return std::all_of(steps.begin(), steps.end(), [&](std::uint64_t n) { return n >= count; });
  }
  void end() {
    stop = true;
    for (auto& task : tasks) await(task);
    while (loop.statistics().timers != 0) yield();
    settle();
  }

  EventLoop& loop;
  SocketPair always_ready;
  std::vector<Task<void>> tasks;
  std::function<void()> zero_timer;
  std::function<void()> post;
  std::function<void()> callback;
  std::array<std::uint64_t, 7> steps{};
  std::array<std::uint64_t, 7> last{};
  std::array<std::uint64_t, 7> longest_gap{};
  bool stop = false;
};

TEST_F(TurnConformance, L32_EachOfManyBusyOnesProgressesEveryFewTurns) {
  run([&] {
    Commotion all{loop()};
    const std::uint64_t start = turns();
    all.last.fill(start);
    while (turns() < start + 500) yield();
    for (std::size_t who = 0; who < all.steps.size(); ++who) {
      EXPECT_LE(all.longest_gap[who], 4u) << "number " << who << " waited that many turns";
      EXPECT_GE(all.steps[who], 120u) << "number " << who;
    }
    all.end();
  });
}

TEST_F(TurnConformance, L32_InRealTimeTooWhereTheBackendIsNotAskedInEveryTurn) {
  real_time();
  run([&] {
    Commotion all{loop()};
    for (int i = 0; i < 20'000'000 && !all.everybody_has(100); ++i) yield();
    for (std::size_t who = 0; who < all.steps.size(); ++who) {
      EXPECT_GE(all.steps[who], 100u) << "number " << who << " starves";
    }
    all.end();
  });
}

// ---- L33: callbacks that throw ------------------------------------------------------------------

/// Arms every kind of callback to throw what names it.  Gives back how many.
std::size_t arm_everything(EventLoop& loop) {
  loop.call_soon([] { throw std::runtime_error("from call_soon"); });
  loop.call_soon_threadsafe([] { throw std::runtime_error("from a post"); });
  loop.call_later(1ms, [] { throw std::runtime_error("from a timer"); });
  loop.add_signal_handler(SIGUSR1, [&loop](int) {
    loop.remove_signal_handler(SIGUSR1);
    throw std::runtime_error("from a signal handler");
  });
  ::raise(SIGUSR1);
  return 4;
}

TEST_F(TurnConformance, L33_TheExceptionHandlerHearsOfACallbackThatThrew) {
  std::size_t count = 0;
  run([&] {
    count = arm_everything(loop());
    sleep(5ms);
  });
  EXPECT_EQ(count, reports.size());
  for (const char* origin : {"from call_soon", "from a post", "from a timer", "signal handler"}) {
    EXPECT_EQ(1, std::count_if(reports.begin(), reports.end(),
                               [&](const std::string& report) { return contains(report, origin); }))
        << origin;
  }
  reports.clear();
}

TEST_F(TurnConformance, L33_WithoutAHandlerRunThrowsAndTheLoopIsUsableAgain) {
  no_exception_handler();
  const std::function<void()> throwers[] = {
      [&] { loop().call_soon([] { throw std::runtime_error("thrown"); }); },
      [&] { loop().call_soon_threadsafe([] { throw std::runtime_error("thrown"); }); },
      [&] { loop().call_later(1ms, [] { throw std::runtime_error("thrown"); }); },
      [&] {
        loop().add_signal_handler(SIGUSR1, [&](int) {
          loop().remove_signal_handler(SIGUSR1);
          throw std::runtime_error("thrown");
        });
        ::raise(SIGUSR1);
      },
  };
  for (const auto& arm : throwers) {
    arm();
    EXPECT_EQ("thrown", message_of<std::runtime_error>([&] { loop().run(); }));
    EXPECT_FALSE(loop().is_running());
    EXPECT_THROW(get_event_loop(), NoRunningLoopError);
    loop().run();
    EXPECT_EQ(7, run([] { return 7; }));
  }
}

TEST_F(TurnConformance, L33_TheOtherCallbacksOfTheTurnRunLaterAndOnce) {
  no_exception_handler();
  Strings order;
  const auto add = [&](const char* name, auto&& how) {
    how([&order, name] { order.emplace_back(name); });
    how([] { throw std::runtime_error("thrown"); });
    how([&order, name] { order.emplace_back(name); });
  };
  add("soon", [&](auto f) { loop().call_soon(f); });
  add("post", [&](auto f) { loop().call_soon_threadsafe(f); });
  add("timer", [&](auto f) { loop().call_later(0, f); });
  int thrown = 0;
  for (int i = 0; i < 10; ++i) {
    try {
      loop().run();
    } catch (const std::runtime_error&) {
      ++thrown;
    }
  }
  EXPECT_EQ(3, thrown);
  EXPECT_EQ((Strings{"soon", "soon", "post", "post", "timer", "timer"}), order);
}

TEST_F(TurnConformance, L33_WithAHandlerTheOtherCallbacksRunInTheSameTurn) {
  std::vector<std::uint64_t> ran_in;
  const auto note = [&] { ran_in.push_back(turns()); };
  const TimePoint when = loop().now() + 1ms;
  loop().call_at(when, note);
  loop().call_at(when, [] { throw std::runtime_error("thrown"); });
  loop().call_at(when, note);
  run();
  ASSERT_EQ(2u, ran_in.size());
  EXPECT_EQ(ran_in[0], ran_in[1]);
  EXPECT_EQ(1u, reports.size());
  reports.clear();
}

TEST_F(TurnConformance, L33_ACallbackThatThrowsEndsRunOfAMainAfterUnwindingIt) {
  no_exception_handler();
  bool unwound = false;
  EXPECT_EQ("thrown", message_of<std::runtime_error>([&] {
              run([&] {
                struct Unwound {
                  bool& flag;
                  ~Unwound() { flag = true; }
                } mark{unwound};
                call_soon([] { throw std::runtime_error("thrown"); });
                sleep(1h);
              });
            }));
  EXPECT_TRUE(unwound);
  EXPECT_EQ(0u, loop().statistics().tasks_alive);
  EXPECT_EQ(7, run([] { return 7; }));
}

TEST_F(TurnConformance, L33_WhatIsNoStdExceptionComesThroughToo) {
  no_exception_handler();
  loop().call_soon([] { throw 7; });
  try {
    loop().run();
    ADD_FAILURE();
  } catch (int thrown) {
    EXPECT_EQ(7, thrown);
  }
}

// ---- L34: stop() --------------------------------------------------------------------------------

TEST_F(TurnConformance, L34_StopInACallbackLetsItEndAndNothingElseRun) {
  Strings order;
  loop().call_soon([&] {
    loop().stop();
    loop().stop();
    order.emplace_back("stopper");
  });
  loop().call_soon([&] { order.emplace_back("next"); });
  loop().call_soon_threadsafe([&] { order.emplace_back("post"); });
  loop().call_later(0, [&] { order.emplace_back("timer"); });
  auto task = loop().create_task([&] { order.emplace_back("task"); });
  loop().run();
  EXPECT_EQ((Strings{"stopper"}), order);
  loop().run();
  std::sort(order.begin(), order.end());
  EXPECT_EQ((Strings{"next", "post", "stopper", "task", "timer"}), order);
}

TEST_F(TurnConformance, L34_StopInATimerLetsNoOtherDueTimerRun) {
  Strings order;
  const TimePoint when = loop().now() + 1ms;
  loop().call_at(when, [&] {
    order.emplace_back("stopper");
    loop().stop();
  });
  loop().call_at(when, [&] { order.emplace_back("due as well"); });
  loop().run();
  EXPECT_EQ((Strings{"stopper"}), order);
  loop().run();
  EXPECT_EQ((Strings{"stopper", "due as well"}), order);
}

TEST_F(TurnConformance, L34_StopInAPostLetsNoOtherPostRun) {
  Strings order;
  loop().call_soon_threadsafe([&] {
    order.emplace_back("stopper");
    loop().stop();
  });
  loop().call_soon_threadsafe([&] { order.emplace_back("posted as well"); });
  loop().run();
  EXPECT_EQ((Strings{"stopper"}), order);
  loop().run();
  EXPECT_EQ((Strings{"stopper", "posted as well"}), order);
}

TEST_F(TurnConformance, L34_StopInASignalHandlerLetsNoOtherHandlerRun) {
  Strings order;
  loop().add_signal_handler(SIGUSR1, [&](int) {
    order.emplace_back("stopper");
    loop().stop();
  });
  loop().add_signal_handler(SIGUSR1, [&](int) {
    order.emplace_back("second handler");
    loop().stop();
  });
  ::raise(SIGUSR1);
  loop().run();
  EXPECT_EQ((Strings{"stopper"}), order);
  loop().run();
  EXPECT_EQ((Strings{"stopper", "second handler"}), order);
  loop().remove_signal_handler(SIGUSR1);
}

TEST_F(TurnConformance, L34_StopInATaskEndsItsSlice) {
  Strings order;
  keep_order();
  auto task = loop().create_task([&] {
    order.emplace_back("stopper");
    loop().stop();
    order.emplace_back("rest of its slice");
    yield();
    order.emplace_back("next slice");
  });
  auto other = loop().create_task([&] { order.emplace_back("other task"); });
  loop().run();
  EXPECT_EQ((Strings{"stopper", "rest of its slice"}), order);
  loop().run();
  EXPECT_EQ((Strings{"stopper", "rest of its slice", "other task", "next slice"}), order);
}

TEST_F(TurnConformance, L34_StopBeforeARunEndsOnlyTheNextOne) {
  int ran = 0;
  loop().call_soon([&] { ++ran; });
  loop().stop();
  loop().stop();
  loop().run();
  EXPECT_EQ(0, ran);
  loop().run();
  EXPECT_EQ(1, ran);
}

TEST_F(TurnConformance, L34_WhileItsTasksAreUnwoundNoCallbackOfAnyKindRuns) {
  std::string log;
  LoopHandle handle = loop().handle();
  loop().add_signal_handler(SIGUSR1, [&](int) { log += 's'; });
  EXPECT_THROW(run([&] {
                 create_task([&] {
                   try {
                     sleep(1h);
                   } catch (const Cancelled&) {
                     shield([&] {
                       handle.post([&] { log += 'p'; });
                       call_soon([&] { log += 'c'; });
                       call_later(1ms, [&] { log += 't'; });
                       ::raise(SIGUSR1);
                       sleep(1s);
                     });
                     log += 'u';
                     throw;
                   }
                 });
                 settle();
                 loop().stop();
                 sleep(1h);
               }),
               InvalidStateError);
  EXPECT_EQ("u", log);
  run([] { sleep(1s); });
  std::sort(log.begin(), log.end());
  EXPECT_EQ("cpstu", log) << "what was held back comes in the next run, once";
  loop().remove_signal_handler(SIGUSR1);
}

TEST_F(TurnConformance, L34_AfterAStopTimeGoesOnWhereItWas) {
  std::vector<Duration> fired;
  loop().call_later(10ms, [&] { fired.push_back(elapsed()); });
  loop().call_later(5ms, [&] { loop().stop(); });
  loop().run();
  EXPECT_TRUE(fired.empty());
  loop().run();
  EXPECT_EQ((std::vector<Duration>{10ms}), fired);
}

// ---- L35: run() inside run() --------------------------------------------------------------------

TEST_F(TurnConformance, L35_ANestedRunIsRefusedAndTheOuterOneUnharmed) {
  EventLoop other{make_backend("auto")};
  int refused = 0;
  const auto try_everything = [&] {
    const std::function<void()> calls[] = {
        [&] { loop().run(); },
        [&] { loop().run([] { ADD_FAILURE() << "ran"; }); },
        [&] { asyncio::run([] { ADD_FAILURE() << "ran"; }); },
        [&] { other.run(); },
        [&] { other.run([] { ADD_FAILURE() << "ran"; }); },
    };
    for (const auto& call : calls) {
      EXPECT_THROW(call(), NestedRunError);
      ++refused;
    }
    EXPECT_THROW(loop().backend().run(), InvalidStateError);
  };
  run([&] {
    try_everything();
    call_soon(try_everything);
    loop().call_later(1ms, try_everything);
    loop().call_soon_threadsafe(try_everything);
    sleep(5ms);
    await(create_task(try_everything));
    EXPECT_EQ(&loop(), &get_event_loop());
  });
  EXPECT_EQ(25, refused);
  EXPECT_EQ(7, other.run([] { return 7; }));
}

// ---- L36: nothing left --------------------------------------------------------------------------

TEST_F(TurnConformance, L36_RunWithNothingLeftReturns) {
  run();
  run();
  EXPECT_EQ(Duration::zero(), elapsed());
}

TEST_F(TurnConformance, L36_RunGoesOnWhileTimersTasksOrCallbacksAreLeft) {
  Strings order;
  loop().call_soon([&] {
    order.emplace_back("callback");
    call_soon([&] { order.emplace_back("its callback"); });
  });
  loop().call_later(1s, [&] {
    order.emplace_back("timer");
    loop().call_later(1s, [&] { order.emplace_back("its timer"); });
  });
  auto task = loop().create_task([&] {
    sleep(3s);
    order.emplace_back("task");
    create_task([&] {
      sleep(1s);
      order.emplace_back("its task");
    });
  });
  run();
  EXPECT_EQ((Strings{"callback", "its callback", "timer", "its timer", "task", "its task"}), order);
  EXPECT_EQ(4s, elapsed());
}

TEST_F(TurnConformance, L36_APersistentTimerKeepsItUntilItIsRemoved) {
  int ticks = 0;
  TimerId id;
  id = loop().add_timer(1s, [&] {
    if (++ticks == 5) loop().del_timer(id);
  });
  run();
  EXPECT_EQ(5, ticks);
}

TEST_F(TurnConformance, L36_ATaskOnADescriptorKeepsIt) {
  SocketPair pair;
  auto reader = loop().create_task([&] { wait_readable(pair.a()); });
  std::thread writer([&] { pair.write(1, "x"); });
  run();
  EXPECT_TRUE(reader.is_done());
  writer.join();
}

TEST_F(TurnConformance, L36_BlockedForEverIsADeadlockErrorThatSaysWhoWaitsForWhat) {
  const std::string message = message_of<DeadlockError>([&] {
    run([] {
      Event never;
      Mutex mutex;
      mutex.lock();
      auto a = create_task([&] { never.wait(); }, "on an event");
      auto b = create_task([&] { mutex.lock(); }, "on a mutex");
      auto c = create_task([&] { await(b); }, "on a task");
      await(c);
    });
  });
  EXPECT_TRUE(contains(message, "task 'main'")) << message;
  EXPECT_TRUE(contains(message, "waits for: task 'on a task'")) << message;
  EXPECT_TRUE(contains(message, "waits for: task 'on a mutex'")) << message;
  EXPECT_TRUE(contains(message, "waits for: mutex")) << message;
  EXPECT_TRUE(contains(message, "waits for: event")) << message;
  EXPECT_EQ(0u, loop().statistics().tasks_alive);
  EXPECT_EQ(7, run([] { return 7; }));
}

TEST_F(TurnConformance, L36_RunWithoutAMainReportsItToo) {
  std::optional<Event> never{std::in_place};
  auto blocked = loop().create_task([&] { never->wait(); }, "blocked");
  const std::string message = message_of<DeadlockError>([&] { loop().run(); });
  EXPECT_TRUE(contains(message, "'blocked'")) << message;
  EXPECT_TRUE(contains(message, "waits for: event")) << message;
  blocked.cancel();
  loop().run();
}

TEST_F(TurnConformance, L36_NoDeadlockWhileAHandleOutsideCouldPost) {
  run([&] {
    Event posted;
    std::thread other([&, handle = loop().handle()] {
      for (int i = 0; i < 100; ++i) std::this_thread::yield();
      handle.post([&] { posted.set(); });
    });
    posted.wait();
    other.join();
  });
}

TEST_F(TurnConformance, L36_ADeadlockIsNoticedWhenTheLastHandleGoes) {
  std::thread other;
  EXPECT_THROW(run([&] {
                 other = std::thread{[handle = loop().handle(), copy = loop().handle()]() mutable {
                   for (int i = 0; i < 100; ++i) std::this_thread::yield();
                 }};
                 Event{}.wait();
               }),
               DeadlockError);
  other.join();
}

TEST_F(TurnConformance, L36_NoDeadlockWhileASignalHandlerIsThere) {
  run([&] {
    Event signalled;
    loop().add_signal_handler(SIGUSR1, [&](int) { signalled.set(); });
    std::thread other = signal_when_parked(SIGUSR1);
    signalled.wait();
    other.join();
    loop().remove_signal_handler(SIGUSR1);
    EXPECT_FALSE(contains(loop().dump(), "signal"));
  });
  // And once it is gone, it is one again.
  EXPECT_THROW(run([] { Event{}.wait(); }), DeadlockError);
}

TEST_F(TurnConformance, L36_NoDeadlockWhileATaskWaitsForASignal) {
  run([&] {
    auto waiter = create_task([] { return wait_signal({SIGUSR1}); });
    settle();
    std::thread other = signal_when_parked(SIGUSR1);
    EXPECT_EQ(SIGUSR1, await(waiter));
    other.join();
  });
}

TEST_F(TurnConformance, L36_NoDeadlockWhileAWorkerThreadIsBusy) {
  run([&] {
    Event set_later;
    auto worker = create_task([&] {
      to_thread([] {
        for (int i = 0; i < 100; ++i) std::this_thread::yield();
      });
      set_later.set();
    });
    set_later.wait();
    await(worker);
  });
}

TEST_F(TurnConformance, L36_SigintHandlingOfRunDoesNotKeepItAlive) {
  ::signal(SIGINT, SIG_DFL);
  EXPECT_THROW(asyncio::run([] { Event{}.wait(); }), DeadlockError);
}

// ---- L40: the clock -----------------------------------------------------------------------------

TEST_F(TurnConformance, L40_NowIsMonotonicAndFresh) {
  real_time();
  run([&] {
    const TimePoint before = Clock::now();
    TimePoint last = loop().now();
    EXPECT_LE(before, last);
    for (int i = 0; i < 1000; ++i) {
      if (i % 10 == 0) yield();
      const TimePoint now = loop().now();
      EXPECT_LE(last, now);
      last = now;
    }
    while (loop().now() == last) {  // it moves within a slice: it is not the turn's own idea
    }
    EXPECT_LE(last, Clock::now());
  });
}

TEST_F(TurnConformance, L40_ATestClockStandsForTasksTimersTimeoutsAndStampsAlike) {
  run([&] {
    const TimePoint start = clock.now();
    EXPECT_EQ(start, loop().now());
    SocketPair pair;
    auto task = create_task([&] {
      sleep(24h);
      EXPECT_FALSE(wait_readable(pair.a(), 24h));
    });
    TimePoint fired{};
    loop().call_later(24h, [&] { fired = loop().now(); });
    await(task);
    EXPECT_EQ(start + 24h, fired);
    EXPECT_EQ(start + 48h, loop().now());
    EXPECT_EQ(48h, task.duration());
    EXPECT_EQ(start, task.created_at());
    EXPECT_EQ(start + 48h, task.completed_at());
  });
  EXPECT_EQ(48h, elapsed());
}

TEST_F(TurnConformance, L40_ATestClockStandsStillWhileAnythingCanRun) {
  run([&] {
    for (int i = 0; i < 1000; ++i) yield();
    SocketPair pair;
    pair.write(1, "x");
    auto sleeper = create_task([] { sleep(1s); });
    wait_readable(pair.a());
    EXPECT_EQ(5, to_thread([] { return 5; })) << "the clock waits for threads";
    EXPECT_EQ(Duration::zero(), elapsed());
    await(sleeper);
    EXPECT_EQ(1s, elapsed());
  });
}

}  // namespace
}  // namespace asyncio::test
