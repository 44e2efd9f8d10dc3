// Posts from other threads and loops beside each other, the same on every backend (cases L29, L30,
// L36 and L39; that sleeping loops cost one write is in core/inbox_test.cc).
#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <latch>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/scale.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class ThreadConformance : public LoopTest {};

// ---- L29: posts ---------------------------------------------------------------------------------

TEST_F(ThreadConformance, L29_APostWakesABlockedLoop) {
  run([&] {
    Event woken;
    // No timer and no deadline: nothing but the post can end the loop's wait.
    std::thread poster([&, handle = loop().handle()] {
      for (int i = 0; i < 3; ++i) std::this_thread::yield();
      handle.post([&] { woken.set(); });
    });
    woken.wait();
    poster.join();
  });
}

TEST_F(ThreadConformance, L29_EveryOneOfManyWakeUpsComesThrough) {
  run([&] {
    // Each post waits for the answer to the one before, so the loop goes to sleep between them.
    for (std::size_t i = 0; i < scaled(2000); ++i) EXPECT_EQ(7, to_thread([] { return 7; }));
  });
}

TEST_F(ThreadConformance, L29_PostsOfOneThreadRunInOrderOnTheLoopsThread) {
  run([&] {
    const std::thread::id own = std::this_thread::get_id();
    constexpr int count = 5000;
    std::vector<int> order;
    Event woken;
    std::thread poster([&, keeps_it_waiting = loop().handle()] {
      for (int i = 0; i < count; ++i) {
        loop().call_soon_threadsafe([&, i] {
          EXPECT_EQ(own, std::this_thread::get_id());
          order.push_back(i);
          if (i == count - 1) woken.set();
        });
      }
    });
    woken.wait();
    poster.join();
    ASSERT_EQ(static_cast<std::size_t>(count), order.size());
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  });
}

TEST_F(ThreadConformance, L29_PostsOfSeveralThreadsKeepTheOrderOfEach) {
  run([&] {
    constexpr std::size_t threads = 4;
    constexpr int count = 2000;
    std::vector<std::vector<int>> order(threads);
    std::size_t ended = 0;
    Event woken;
    std::vector<std::thread> posters;
    for (std::size_t t = 0; t < threads; ++t) {
      posters.emplace_back([&, t, handle = loop().handle()] {
        for (int i = 0; i < count; ++i) {
          handle.post([&, t, i] {
            order[t].push_back(i);
            if (i == count - 1 && ++ended == threads) woken.set();
          });
        }
      });
    }
    woken.wait();
    for (std::thread& poster : posters) poster.join();
    for (const auto& one : order) {
      EXPECT_EQ(static_cast<std::size_t>(count), one.size());
      EXPECT_TRUE(std::is_sorted(one.begin(), one.end()));
    }
  });
}

TEST_F(ThreadConformance, L29_AMillionPostsToABusyLoopRunInBatches) {
  run([&] {
    const std::size_t count = scaled(1'000'000);
    std::size_t run_count = 0;
    std::latch busy{1};
    std::latch all_posted{1};
    Event woken;
    std::thread poster([&, handle = loop().handle()] {
      handle.post([&] {
        busy.count_down();
        all_posted.wait();  // keeps the loop's thread
      });
      busy.wait();
      for (std::size_t i = 0; i < count; ++i) {
        handle.post([&] {
          if (++run_count == count) woken.set();
        });
      }
      all_posted.count_down();
    });
    const LoopStatistics before = loop().statistics();
    woken.wait();
    const LoopStatistics after = loop().statistics();
    poster.join();
    EXPECT_EQ(count, run_count);
    EXPECT_EQ(count + 1, after.posts - before.posts);
    EXPECT_LE(after.backend_waits - before.backend_waits, count / 100 + 50)
        << "a system call for every few posts";
  });
}

TEST_F(ThreadConformance, L29_PostsBeforeTheFirstRunAreKept) {
  int ran = 0;
  for (int i = 0; i < 3; ++i) loop().call_soon_threadsafe([&] { ++ran; });
  std::thread([&, handle = loop().handle()] { handle.post([&] { ++ran; }); }).join();
  run([] { settle(); });
  EXPECT_EQ(4, ran);
}

TEST_F(ThreadConformance, L29_PostAfterCloseIsClosedErrorNotACrash) {
  std::optional<LoopHandle> handle{loop().handle()};
  EXPECT_FALSE(handle->closed());
  end_loop();
  EXPECT_TRUE(handle->closed());
  EXPECT_THROW(handle->post([] {}), ClosedError);
  const LoopHandle copy = *handle;
  handle.reset();
  std::thread([&] { EXPECT_THROW(copy.post([] {}), ClosedError); }).join();
  // The next loop is none of its business.
  run([&] {
    EXPECT_THROW(copy.post([] { ADD_FAILURE() << "ran on another loop"; }), ClosedError);
    settle();
  });
}

TEST_F(ThreadConformance, L29_WhatIsStillQueuedWhenTheLoopGoesIsDestroyedNotRun) {
  auto witness = std::make_shared<int>(0);
  for (int i = 0; i < 3; ++i) {
    loop().call_soon_threadsafe([witness] { ADD_FAILURE() << "ran while the loop was destroyed"; });
  }
  EXPECT_EQ(4, witness.use_count());
  end_loop();
  EXPECT_EQ(1, witness.use_count());
}

TEST_F(ThreadConformance, L29_PostingWhileTheLoopEndsIsEitherRunOrRefused) {
  for (std::size_t round = 0; round < scaled(200); ++round) {
    auto witness = std::make_shared<std::atomic<int>>(0);
    std::atomic<bool> started{false};
    std::thread poster;
    {
      EventLoop mortal{make_backend("auto"), options};
      poster = std::thread([&, witness, handle = mortal.handle()] {
        try {
          for (int posted = 1;; ++posted) {
            handle.post([witness] { ++*witness; });
            started = true;
            // However long the loop's thread does not run, they must not fill the memory.
            while (posted - *witness > 10'000 && !handle.closed()) std::this_thread::yield();
          }
        } catch (const ClosedError&) {
          EXPECT_TRUE(handle.closed());
        }
      });
      while (!started) std::this_thread::yield();
      mortal.run([] { yield(); });
    }
    poster.join();
    EXPECT_EQ(1, witness.use_count()) << "a post was leaked";
  }
}

TEST_F(ThreadConformance, L29_AnEmptyCallbackIsRefused) {
  EXPECT_THROW(loop().call_soon_threadsafe(nullptr), std::invalid_argument);
  EXPECT_THROW(loop().handle().post(nullptr), std::invalid_argument);
}

TEST_F(ThreadConformance, L29_StopFromAnotherThreadWakesABlockedLoop) {
  const LoopHandle keeps_it_waiting = loop().handle();
  std::thread stopper([&] { loop().stop(); });
  loop().run();  // for ever, but for the stop
  stopper.join();
}

// ---- L30: posts that post -----------------------------------------------------------------------

TEST_F(ThreadConformance, L30_APostThatPostsItselfForEverStarvesNobody) {
  run([&] {
    std::uint64_t posts = 0;
    bool stop = false;
    std::function<void()> again = [&] {
      ++posts;
      if (!stop && posts < 10'000'000) loop().call_soon_threadsafe(again);
    };
    loop().call_soon_threadsafe(again);
    const auto progress = [&](const char* who, auto&& step) {
      const std::uint64_t before = posts;
      for (int i = 0; i < 20; ++i) step();
      EXPECT_LT(posts - before, 100'000u) << who;
    };
    progress("a task that yields", [] { yield(); });
    SocketPair pair;
    progress("a descriptor", [&] {
      pair.write(1, "x");
      wait_readable(pair.a());
      pair.read(0);
    });
    progress("a timer", [&] {
      bool fired = false;
      loop().call_later(0, [&] { fired = true; });
      while (!fired) yield();
    });
    progress("a callback", [&] {
      bool called = false;
      loop().call_soon([&] { called = true; });
      while (!called) yield();
    });
    EXPECT_GT(posts, 50u) << "and it went on all the time";
    stop = true;
    settle();
  });
}

TEST_F(ThreadConformance, L30_AFloodFromAThreadStarvesNobody) {
  run([&] {
    std::atomic<bool> stop{false};
    std::atomic<int> queued{0};
    std::thread flood([&, handle = loop().handle()] {
      while (!stop) {
        if (queued > 10'000) {
          std::this_thread::yield();
          continue;
        }
        ++queued;
        handle.post([&] { --queued; });
      }
    });
    SocketPair pair;
    for (int i = 0; i < 200; ++i) {
      pair.write(1, "x");
      wait_readable(pair.a());
      pair.read(0);
      yield();
    }
    stop = true;
    flood.join();
    while (queued != 0) yield();
  });
}

// ---- L39: several loops -------------------------------------------------------------------------

TEST_F(ThreadConformance, L39_LoopsInSeveralThreadsShareNothing) {
  std::vector<std::future<void>> threads;
  for (int t = 0; t < 4; ++t) {
    threads.push_back(std::async(std::launch::async, [t, this] {
      TestClock own_clock;
      LoopOptions own = options;
      own.clock = &own_clock;
      EventLoop mine{make_backend("auto"), own};
      mine.run([&] {
        EXPECT_EQ(&mine, &get_event_loop());
        for (int i = 0; i < 50; ++i) {
          SocketPair pair;
          auto reader = create_task([&] {
            wait_readable(pair.a());
            return pair.read(0);
          });
          sleep(1ms * (t + 1));
          pair.write(1, "x");
          EXPECT_EQ("x", await(reader));
        }
        EXPECT_EQ(50ms * (t + 1), own_clock.elapsed()) << "another loop's timers moved this clock";
        EXPECT_EQ(1u, mine.statistics().tasks_alive);
        EXPECT_EQ(1u, mine.tasks().size());
      });
      EXPECT_THROW(get_event_loop(), NoRunningLoopError);
    }));
  }
  for (auto& thread : threads) thread.get();
}

TEST_F(ThreadConformance, L39_LoopsInTwoThreadsPassMessages) {
  constexpr int rounds = 500;
  EventLoop left{make_backend("auto")};
  EventLoop right{make_backend("auto")};
  const LoopHandle to_left = left.handle();
  const LoopHandle to_right = right.handle();
  int hits = 0;  // whoever has the ball may touch it
  std::function<void(bool)> hit = [&](bool on_left) {
    if (++hits == rounds) {
      to_left.post([&] { left.stop(); });
      to_right.post([&] { right.stop(); });
      return;
    }
    (on_left ? to_right : to_left).post([&hit, on_left] { hit(!on_left); });
  };
  to_left.post([&] { hit(true); });
  std::thread other([&] { right.run(); });
  left.run();
  other.join();
  EXPECT_EQ(rounds, hits);
}

TEST_F(ThreadConformance, L39_LoopsOneAfterTheOtherInOneThreadStartAfresh) {
  std::vector<std::unique_ptr<SocketPair>> kept_open;
  for (int i = 0; i < 20; ++i) {
    TestClock own_clock;
    LoopOptions own = options;
    own.clock = &own_clock;
    EventLoop fresh{make_backend("auto"), own};
    kept_open.push_back(std::make_unique<SocketPair>());
    SocketPair& pair = *kept_open.back();
    fresh.call_later(1h, [] { ADD_FAILURE() << "a timer outlived its loop"; });
    fresh.run([&] {
      EXPECT_EQ(Duration::zero(), own_clock.elapsed());
      auto left_waiting = create_task([&] { wait_readable(pair.a()); });
      sleep(1s);
      // What the loops before it watched is ready all the time, and concerns this one not at all.
      for (const auto& other : kept_open) other->write(1, "x");
      EXPECT_EQ(1u, fresh.statistics().timers);
    });
    EXPECT_EQ(0u, fresh.statistics().fd_waiters);
  }
}

TEST_F(ThreadConformance, L39_TwoLoopsOfOneThreadTakeTurns) {
  TestClock other_clock;
  LoopOptions other_options = options;
  other_options.clock = &other_clock;
  EventLoop other{make_backend("auto"), other_options};
  SocketPair pair;
  int own_ticks = 0;
  int other_ticks = 0;
  const TimerId own_timer = loop().add_timer(1s, [&] { ++own_ticks; });
  const TimerId other_timer = other.add_timer(1s, [&] { ++other_ticks; });
  for (int i = 1; i <= 5; ++i) {
    run([&] {
      pair.write(0, "x");
      sleep(1500ms);
    });
    other.run([&] {
      wait_readable(pair.b());
      EXPECT_EQ("x", pair.read(1));
      sleep(500ms);
    });
  }
  EXPECT_EQ(7, own_ticks);
  EXPECT_EQ(2, other_ticks);
  EXPECT_FALSE(loop().del_timer(TimerId{})) << "no timer";
  EXPECT_TRUE(loop().del_timer(own_timer));
  EXPECT_TRUE(other.del_timer(other_timer));
}

TEST_F(ThreadConformance, L39_OneDescriptorWatchedByTwoLoopsWakesBoth) {
  SocketPair pair;
  std::atomic<int> woken{0};
  std::vector<std::future<void>> threads;
  std::latch both_wait{2};
  for (int t = 0; t < 2; ++t) {
    threads.push_back(std::async(std::launch::async, [&] {
      asyncio::run([&] {
        EXPECT_FALSE(wait_readable(pair.a(), 0));
        both_wait.count_down();
        wait_readable(pair.a());
        ++woken;
      });
    }));
  }
  both_wait.wait();
  pair.write(1, "x");
  for (auto& thread : threads) thread.get();
  EXPECT_EQ(2, woken);
}

// ---- L36: what another thread may still do ------------------------------------------------------

/// A thread that does `act` once the loop has found that nothing of its own could wake a task.
std::thread once_all_wait(std::function<void()> act) {
  auto parked = std::make_shared<std::atomic<bool>>(false);
  call_soon([parked] { *parked = true; });
  return std::thread{[parked, act = std::move(act)] {
    while (!*parked) std::this_thread::yield();
    for (int i = 0; i < 100; ++i) std::this_thread::yield();
    act();
  }};
}

TEST_F(ThreadConformance, L36_NoDeadlockWhileAThreadMayCancelMain) {
  std::thread other;
  EXPECT_THROW(run([&] {
                 other = once_all_wait([me = current_task()] { me.cancel("by a thread"); });
                 Event{}.wait();
               }),
               TaskCancelledException);
  other.join();
}

TEST_F(ThreadConformance, L36_NoDeadlockWhileAThreadMayCancelAnyTask) {
  run([&] {
    const auto task = create_task([] { Event{}.wait(); });
    std::thread other = once_all_wait([task] { task.cancel("by a thread"); });
    EXPECT_THROW(await(task), TaskCancelledException);
    other.join();
  });
}

TEST_F(ThreadConformance, L36_NoDeadlockWhileAThreadMayPostToALoopThatItKnowsToLive) {
  run([&] {
    Event posted;
    std::thread other =
        once_all_wait([&, here = &loop()] { here->call_soon_threadsafe([&] { posted.set(); }); });
    posted.wait();
    other.join();
  });
}

TEST_F(ThreadConformance, L36_NoDeadlockWhileAThreadMayStopTheLoop) {
  std::thread other;
  const std::string message = message_of<InvalidStateError>([&] {
    run([&] {
      other = once_all_wait([here = &loop()] { here->stop(); });
      Event{}.wait();
    });
  });
  other.join();
  EXPECT_TRUE(contains(message, "stop() was called")) << message;
}

TEST_F(ThreadConformance, L36_NoDeadlockOfARunWithoutAMainEither) {
  std::thread other;
  const auto task = loop().create_task([&] {
    other = once_all_wait([me = current_task()] { me.cancel("by a thread"); });
    Event{}.wait();
  });
  loop().run();
  EXPECT_EQ(TaskState::cancelled, task.state());
  other.join();
}

TEST_F(ThreadConformance, L36_ADeadlockIsCertainWhenTheLastOtherThreadHasEnded) {
  std::thread other;
  EXPECT_THROW(run([&] {
                 other = once_all_wait([] {});
                 Event{}.wait();
               }),
               DeadlockError);
  other.join();
}

TEST_F(ThreadConformance, L36_IdleThreadsOfTheLoopsOwnWakeNobody) {
  EXPECT_THROW(run([&] {
                 auto busy = create_task([] { to_thread([] {}); });
                 to_thread([] {});
                 await(busy);
                 Event{}.wait();
               }),
               DeadlockError);
}

TEST_F(ThreadConformance, L36_WithAThreadAboutARunWithoutTasksStillEnds) {
  std::atomic<bool> stop{false};
  std::thread other{[&] {
    while (!stop) std::this_thread::yield();
  }};
  loop().run();
  stop = true;
  other.join();
}

}  // namespace
}  // namespace asyncio::test
