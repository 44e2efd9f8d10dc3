// Pools: who is served when, what is lent, and what becomes of a connection.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

// The far side of every connection, and what happens there.
struct Peer {
  Duration dial_takes{};
  bool down = false;
  Duration close_takes{};
  bool mute = false;  // answers no ping
  std::size_t open = 0;
  std::size_t peak = 0;
  std::size_t dials = 0;
  std::size_t pings = 0;
  std::size_t goodbyes = 0;
  std::size_t forsaken = 0;
  std::vector<TimePoint> dialed_at;
};

struct Wire {
  Wire(Peer& to, std::size_t id) : peer(to), number(id) {
    peer.peak = std::max(peer.peak, ++peer.open);
  }
  ~Wire() { --peer.open; }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  Peer& peer;
  std::size_t number;
  bool cut = false;
};

class PoolTest : public LoopTest {
 protected:
  Connector<Wire> connector() {
    return {.dial =
                [this] {
                  const std::size_t number = ++peer.dials;
                  peer.dialed_at.push_back(get_event_loop().now());
                  sleep(peer.dial_takes);
                  if (peer.down) throw std::runtime_error("connection refused");
                  return std::make_unique<Wire>(peer, number);
                },
            .look = [](Wire& wire) { return !wire.cut; },
            .ping =
                [this](Wire& wire) {
                  ++peer.pings;
                  if (peer.mute) sleep_forever();
                  if (wire.cut) throw std::runtime_error("connection reset");
                },
            .close =
                [this](Wire&) {
                  sleep(peer.close_takes);
                  ++peer.goodbyes;
                },
            .forsake = [this](Wire&) { ++peer.forsaken; }};
  }
  static PoolOptions of_two() { return {.max_size = 2, .dial_backoff = {.seed = 1}}; }

  Peer peer;
};

TEST_F(PoolTest, AConnectionIsMadeWhenWantedAndLentAgain) {
  run([this] {
    Pool<Wire> pool{connector(), of_two()};
    EXPECT_EQ(0u, peer.dials);
    for (int i = 0; i < 3; ++i) {
      Lease<Wire> lease = pool.acquire();
      EXPECT_EQ(1u, lease->number);
    }
    const PoolStats stats = pool.stats();
    EXPECT_EQ(1u, stats.size);
    EXPECT_EQ(1u, stats.idle);
    EXPECT_EQ(0u, stats.lent);
    EXPECT_EQ(3u, stats.acquired);
    EXPECT_EQ(1u, stats.wait.total());
  });
  EXPECT_EQ(0u, peer.open);
}

TEST_F(PoolTest, AnIdleConnectionIsLentWithoutSuspending) {
  run([this] {
    Pool<Wire> pool{connector(), of_two()};
    pool.acquire().release();
    const ExpectNoSuspend none;
    pool.acquire().release();
  });
}

TEST_F(PoolTest, WhatCameBackLastIsLentFirst) {
  run([this] {
    Pool<Wire> pool{connector(), of_two()};
    Lease<Wire> one = pool.acquire();
    Lease<Wire> two = pool.acquire();
    two.release();
    one.release();
    EXPECT_EQ(1u, pool.acquire()->number);
  });
}

TEST_F(PoolTest, WithReturnsWhatTheBodyReturns) {
  run([this] {
    Pool<Wire> pool{connector(), of_two()};
    EXPECT_EQ(1u, pool.with([](Wire& wire) { return wire.number; }));
    pool.with([](Wire&) {});
    EXPECT_EQ(1u, peer.dials);
    EXPECT_THROW(pool.with([](Wire&) { throw std::logic_error("in the middle"); }),
                 std::logic_error);
    EXPECT_EQ(0u, peer.open) << "nobody knows what would come next";
    EXPECT_EQ(1u, pool.stats().discarded(DiscardReason::interrupted));
    EXPECT_EQ(0u, peer.goodbyes);
  });
}

TEST_F(PoolTest, Q1_CancelledBeforeTheHandOverTheNextIsServed) {
  run([this] {
    Pool<Wire> pool{connector(), {.max_size = 1}};
    Lease<Wire> lease = pool.acquire();
    auto first = create_task([&] { pool.acquire().release(); });
    bool served = false;
    auto second = create_task([&] {
      const Lease<Wire> mine = pool.acquire();
      served = true;
    });
    settle();
    EXPECT_EQ(2u, pool.stats().waiting);
    first.cancel();
    settle();
    EXPECT_EQ(1u, pool.stats().waiting);
    lease.release();
    await(second);
    EXPECT_TRUE(served);
    EXPECT_EQ(1u, pool.stats().size);
    EXPECT_EQ(1u, pool.stats().idle);
  });
}

TEST_F(PoolTest, Q2_CancelledJustAfterTheHandOverTheLeaseComesBack) {
  run([this] {
    Pool<Wire> pool{connector(), {.max_size = 1}};
    Lease<Wire> lease = pool.acquire();
    auto waiter = create_task([&] {
      const Lease<Wire> mine = pool.acquire();
      checkpoint();
      ADD_FAILURE() << "the cancel was swallowed";
    });
    settle();
    lease.release();  // goes to the waiter
    waiter.cancel();  // before that runs
    EXPECT_THROW(await(waiter), TaskCancelledException);
    EXPECT_EQ(1u, pool.stats().idle);
    EXPECT_EQ(0u, pool.stats().lent);
    EXPECT_EQ(1u, pool.acquire()->number);
  });
}

TEST_F(PoolTest, Q3_CancelledWhileDialingTheDialServesTheNext) {
  run([this] {
    peer.dial_takes = 1s;
    Pool<Wire> pool{connector(), {.max_size = 1}};
    auto first = create_task([&] { pool.acquire().release(); });
    settle();
    auto second = create_task([&] { return pool.acquire()->number; });
    settle();
    first.cancel();
    EXPECT_EQ(1u, await(second));
    EXPECT_EQ(1s, elapsed());
    EXPECT_EQ(1u, peer.dials);
    EXPECT_EQ(1u, pool.stats().size);
  });
}

TEST_F(PoolTest, Q3_ADialThatNobodyWaitsForAnyMoreIsIdleAfterwards) {
  run([this] {
    peer.dial_takes = 1s;
    Pool<Wire> pool{connector(), of_two()};
    EXPECT_THROW(timeout(100ms, [&] { pool.acquire().release(); }), TimeoutException);
    EXPECT_EQ(1u, pool.stats().dialing);
    sleep(1s);
    EXPECT_EQ(1u, pool.stats().idle);
  });
}

TEST_F(PoolTest, Q4_NeverMoreConnectionsThanAllowed) {
  run([this] {
    peer.dial_takes = 3ms;
    peer.close_takes = 5ms;
    Pool<Wire> pool{connector(), {.max_size = 2, .acquire_timeout = 1h, .max_lifetime = 20ms}};
    TaskGroup group;
    for (int i = 0; i < 100; ++i) {
      group.spawn([&, i] {
        Lease<Wire> lease = pool.acquire();
        sleep(1ms);
        if (i % 7 == 0) lease.discard();
      });
    }
    group.wait_all();
    EXPECT_EQ(2u, peer.peak);
    EXPECT_EQ(100u, pool.stats().acquired);
  });
}

TEST_F(PoolTest, Q5_ALateComerNeverOvertakes) {
  keep_order();
  run([this] {
    Pool<Wire> pool{connector(), {.max_size = 1}};
    Lease<Wire> lease = pool.acquire();
    std::vector<int> order;
    TaskGroup group;
    group.spawn([&] {
      const Lease<Wire> mine = pool.acquire();
      order.push_back(1);
    });
    settle();
    lease.release();
    {
      const Lease<Wire> mine = pool.acquire();  // at a moment when the first has not run yet
      order.push_back(2);
    }
    group.wait_all();
    EXPECT_EQ((std::vector<int>{1, 2}), order);
  });
}

TEST_F(PoolTest, Q6_AFailedDialIsToldAtOnceIfNoOtherConnectionCouldServe) {
  run([this] {
    peer.down = true;
    peer.dial_takes = 10ms;
    Pool<Wire> pool{connector(), of_two()};
    try {
      pool.acquire().release();
      ADD_FAILURE() << "served by nobody";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ("connection refused", error.what());
    }
    EXPECT_EQ(10ms, elapsed());
    EXPECT_EQ(0u, pool.stats().size);
    EXPECT_EQ(1u, pool.stats().dial_failures);
    peer.down = false;
    EXPECT_EQ(2u, pool.acquire()->number);
  });
}

TEST_F(PoolTest, Q6_AFailedDialIsRepeatedForThoseWhomAnotherConnectionMayServe) {
  run([this] {
    Pool<Wire> pool{connector(), of_two()};
    Lease<Wire> lease = pool.acquire();
    peer.down = true;
    auto waiter = create_task([&] { return pool.acquire()->number; });
    sleep(1s);
    EXPECT_LT(2u, pool.stats().dial_failures);
    EXPECT_FALSE(waiter.is_done());
    lease.release();
    EXPECT_EQ(1u, await(waiter));
  });
}

TEST_F(PoolTest, Q6_ADialThatReturnsNothingIsAnError) {
  run([] {
    Pool<Wire> pool{{.dial = [] { return std::unique_ptr<Wire>{}; }}};
    EXPECT_THROW(pool.acquire().release(), InvalidStateError);
  });
}

TEST_F(PoolTest, Q7_ExhaustedItSaysWhoHasTheConnections) {
  run([this] {
    Pool<Wire> pool{connector(), {.max_size = 1, .acquire_timeout = 2s, .name = "db"}};
    const Lease<Wire> lease = pool.acquire();
    auto other = create_task([&] { EXPECT_THROW(pool.acquire().release(), PoolTimeout); });
    try {
      pool.acquire().release();
      ADD_FAILURE();
    } catch (const PoolTimeout& error) {
      const std::string message = error.what();
      EXPECT_TRUE(contains(message, "pool 'db'")) << message;
      EXPECT_TRUE(contains(message, "in 2 s")) << message;
      EXPECT_TRUE(contains(message, "1 of 1 are lent")) << message;
      EXPECT_TRUE(contains(message, "tasks wait")) << message;
    }
    await(other);
    EXPECT_EQ(2s, elapsed());
    EXPECT_EQ(2u, pool.stats().timeouts);
  });
}

TEST_F(PoolTest, Q7_TheTimeoutTellsOfTheLastFailedDial) {
  run([this] {
    Pool<Wire> pool{connector(), of_two()};
    const Lease<Wire> lease = pool.acquire();
    peer.down = true;
    try {
      pool.acquire().release();
      ADD_FAILURE();
    } catch (const PoolTimeout& error) {
      EXPECT_TRUE(contains(error.what(), "the last dial failed: ")) << error.what();
      EXPECT_TRUE(contains(error.what(), "connection refused")) << error.what();
    }
  });
}

TEST_F(PoolTest, Q7_TooManyWaitersAreRefusedAtOnce) {
  run([this] {
    Pool<Wire> pool{connector(), {.max_size = 1, .max_waiting = 1}};
    Lease<Wire> lease = pool.acquire();
    auto waiter = create_task([&] { pool.acquire().release(); });
    settle();
    EXPECT_THROW(pool.acquire().release(), PoolFullError);
    EXPECT_EQ(1u, pool.stats().refused);
    lease.release();
    await(waiter);
  });
}

TEST_F(PoolTest, Q8_ACancelIsNeverSwallowed) {
  run([this] {
    peer.dial_takes = 1s;
    peer.down = true;
    Pool<Wire> pool{connector(), of_two()};
    auto task = create_task([&] {
      try {
        pool.acquire().release();
      } catch (const std::exception&) {
        ADD_FAILURE() << "a cancel became an error";
      }
    });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ(Duration::zero(), elapsed());
  });
}

TEST_F(PoolTest, Q9_GivingBackToAHungPeerReturnsAtOnce) {
  run([this] {
    peer.close_takes = 1h;
    Pool<Wire> pool{connector(), {.max_size = 1, .max_lifetime = 1s, .close_timeout = 2s}};
    Lease<Wire> lease = pool.acquire();
    sleep(2s);
    const TimePoint before = get_event_loop().now();
    lease.release();
    EXPECT_EQ(before, get_event_loop().now());
    EXPECT_EQ(1u, pool.stats().closing);
    sleep(3s);
    EXPECT_EQ(0u, peer.open) << "the goodbye has a limit";
    EXPECT_EQ(0u, peer.goodbyes);
    EXPECT_EQ(1u, pool.stats().discarded(DiscardReason::lifetime));
  });
}

TEST_F(PoolTest, Q10_ConnectionsThatCloseSlowlyCount) {
  run([this] {
    peer.close_takes = 500ms;
    Pool<Wire> pool{connector(), {.max_size = 1, .max_lifetime = 1s}};
    {
      const Lease<Wire> lease = pool.acquire();
      sleep(2s);
    }
    const TimePoint before = get_event_loop().now();
    EXPECT_EQ(2u, pool.acquire()->number);
    EXPECT_EQ(before + 500ms, get_event_loop().now());
    EXPECT_EQ(1u, peer.peak);
  });
}

TEST_F(PoolTest, Q11_AServerThatIsDownIsDialedSeldomAndAtRandomMoments) {
  run([this] {
    peer.down = true;
    Pool<Wire> pool{connector(), of_two()};
    TaskGroup group;
    for (int i = 0; i < 1000; ++i) {
      group.spawn([&] {
        const TimePoint end = get_event_loop().now() + 60s;
        while (get_event_loop().now() < end) {
          try {
            pool.acquire().release();
          } catch (const std::exception&) {
            sleep(1ms);
          }
        }
      });
    }
    group.wait_all();
    EXPECT_LT(10u, peer.dials);
    EXPECT_GT(60u, peer.dials);
    std::vector<Duration> gaps;
    for (std::size_t i = 1; i < peer.dialed_at.size(); ++i) {
      gaps.push_back(peer.dialed_at[i] - peer.dialed_at[i - 1]);
    }
    std::sort(gaps.begin(), gaps.end());
    EXPECT_GT(gaps.back(), 2 * gaps[gaps.size() / 2]) << "no jitter";
  });
}

TEST_F(PoolTest, Q12_AfterARestartOfTheServerItRecovers) {
  run([this] {
    Pool<Wire> pool{connector(), of_two()};
    std::vector<Wire*> seen;
    {
      Lease<Wire> one = pool.acquire();
      Lease<Wire> two = pool.acquire();
      seen = {&*one, &*two};
    }
    for (Wire* wire : seen) wire->cut = true;
    for (int i = 0; i < 10; ++i) EXPECT_LT(2u, pool.acquire()->number);
    EXPECT_EQ(2u, pool.stats().discarded(DiscardReason::broken));
  });
}

TEST_F(PoolTest, Q13_ConnectionsMadeTogetherDoNotEndTogether) {
  run([this] {
    Pool<Wire> pool{
        connector(),
        {.max_size = 20, .idle_timeout = 2h, .max_lifetime = 1h, .dial_backoff = {.seed = 5}}};
    {
      std::vector<Lease<Wire>> all;
      for (int i = 0; i < 20; ++i) all.push_back(pool.acquire());
    }
    sleep(54min - 1s);
    EXPECT_EQ(20u, pool.stats().idle);
    sleep(6min);
    EXPECT_LT(3u, pool.stats().idle);
    EXPECT_GT(17u, pool.stats().idle);
    sleep(6min + 2s);
    EXPECT_EQ(0u, pool.stats().size);
    EXPECT_EQ(20u, pool.stats().discarded(DiscardReason::lifetime));
    EXPECT_EQ(20u, peer.goodbyes);
  });
}

TEST_F(PoolTest, Q14_WhenTheLoadFallsItShrinks) {
  run([this] {
    Pool<Wire> pool{connector(), {.max_size = 5, .min_idle = 1, .idle_timeout = 10s}};
    {
      std::vector<Lease<Wire>> all;
      for (int i = 0; i < 5; ++i) all.push_back(pool.acquire());
    }
    EXPECT_EQ(5u, pool.stats().idle);
    for (int i = 0; i < 5; ++i) {  // one of them is used all the time
      sleep(3s);
      pool.acquire().release();
    }
    EXPECT_EQ(1u, pool.stats().size);
    EXPECT_EQ(4u, pool.stats().discarded(DiscardReason::idle));
    sleep(1h);
    EXPECT_EQ(1u, pool.stats().size) << "min_idle";
  });
}

TEST_F(PoolTest, Q14_MinIdleIsThereBeforeAnybodyAsks) {
  run([this] {
    Pool<Wire> pool{connector(), {.max_size = 3, .min_idle = 2}};
    settle();
    EXPECT_EQ(2u, pool.stats().idle);
    const Lease<Wire> lease = pool.acquire();
    settle();
    EXPECT_EQ(1u, pool.stats().idle) << "what is lent is none in reserve, but dials follow need";
  });
}

TEST_F(PoolTest, Q15_WhatWasClosedWhileIdleIsNeverLent) {
  run([this] {
    Pool<Wire> pool{connector(), of_two()};
    {
      const Lease<Wire> lease = pool.acquire();
      lease->cut = true;
    }
    EXPECT_EQ(2u, pool.acquire()->number);
    EXPECT_EQ(1u, pool.stats().discarded(DiscardReason::broken));
  });
}

TEST_F(PoolTest, Q16_AHalfOpenConnectionIsFoundByAPingWithALimitOfItsOwn) {
  run([this] {
    Pool<Wire> pool{connector(), {.idle_timeout = 1h, .ping_after = 30s, .ping_timeout = 2s}};
    pool.acquire().release();
    sleep(29s);
    pool.acquire().release();
    EXPECT_EQ(0u, peer.pings);
    sleep(31s);
    EXPECT_EQ(1u, pool.acquire()->number);
    EXPECT_EQ(1u, peer.pings);
    sleep(31s);
    peer.mute = true;
    const TimePoint before = get_event_loop().now();
    EXPECT_EQ(2u, pool.acquire()->number);
    EXPECT_EQ(before + 2s, get_event_loop().now());
    EXPECT_EQ(1u, pool.stats().discarded(DiscardReason::unanswered));
  });
}

TEST_F(PoolTest, Q16_WhoIsCancelledDuringAPingLeavesTheConnectionToTheNext) {
  run([this] {
    Pool<Wire> pool{connector(), {.max_size = 1, .idle_timeout = 1h}};
    pool.acquire().release();
    sleep(31s);
    auto first = create_task([&] { pool.acquire().release(); });
    auto second = create_task([&] { return pool.acquire()->number; });
    settle();
    first.cancel();
    EXPECT_EQ(1u, await(second));
    EXPECT_EQ(1u, peer.pings);
  });
}

TEST_F(PoolTest, Q17_EachIsDialedAnewWithinItsLifetime) {
  run([this] {
    Pool<Wire> pool{connector(), {.idle_timeout = 24h, .max_lifetime = 1h, .ping_after = 24h}};
    const TimePoint begin = get_event_loop().now();
    std::size_t last = 0;
    while (get_event_loop().now() < begin + 5h) {
      last = pool.acquire()->number;
      sleep(5min);
    }
    EXPECT_LE(5u, last);
  });
}

TEST_F(PoolTest, Q18_ADialThatHangsKeepsNobodyBeyondItsDeadline) {
  run([this] {
    peer.dial_takes = 24h;
    Pool<Wire> pool{connector(), {.acquire_timeout = 3s, .dial_timeout = 5s}};
    EXPECT_THROW(timeout(1s, [&] { pool.acquire().release(); }), TimeoutException);
    EXPECT_EQ(1s, elapsed());
    EXPECT_THROW(pool.acquire().release(), PoolTimeout);
    EXPECT_EQ(4s, elapsed());
    sleep(2s);
    const PoolStats stats = pool.stats();
    EXPECT_EQ(0u, stats.dialing) << "each dial has a limit of its own";
    EXPECT_EQ(1u, stats.dial_failures);
  });
}

TEST_F(PoolTest, Q19_AForkedChildLetsGoOfItsParentsConnections) {
  run([this] {
    Pool<Wire> pool{connector(), of_two()};
    Lease<Wire> lent = pool.acquire();
    pool.acquire().release();
    const pid_t child = ::fork();
    if (child == 0) {
      after_fork();
      lent.release();
      const bool own = pool.acquire()->number > 2;
      ::_exit(own && peer.forsaken == 2 && peer.goodbyes == 0 ? 0 : 1);
    }
    int status = -1;
    EXPECT_EQ(child, ::waitpid(child, &status, 0));
    EXPECT_EQ(0, status);
    lent.release();
    EXPECT_EQ(2u, pool.stats().idle) << "the parent goes on with its own";
  });
}

TEST_F(PoolTest, Q20_CloseEndsWaitsAndDiscardsWhatComesBack) {
  run([this] {
    Pool<Wire> pool{connector(), of_two()};
    Lease<Wire> clean = pool.acquire();
    Lease<Wire> poisoned = pool.acquire();
    poisoned.mark_dirty();
    auto waiter = create_task([&] {
      try {
        pool.acquire().release();
        ADD_FAILURE();
      } catch (const ClosedError& error) {
        EXPECT_TRUE(contains(error.what(), "closed while the task waited")) << error.what();
      }
    });
    settle();
    auto closing = create_task([&] { return pool.close(5s); });
    settle();
    await(waiter);
    EXPECT_FALSE(closing.is_done());
    EXPECT_THROW(pool.acquire().release(), ClosedError);
    clean.release();
    poisoned.release();
    EXPECT_TRUE(await(closing));
    EXPECT_EQ(0u, peer.open);
    EXPECT_EQ(1u, peer.goodbyes) << "none in the middle of an operation";
    EXPECT_EQ(1u, pool.stats().discarded(DiscardReason::interrupted));
    EXPECT_EQ(1u, pool.stats().discarded(DiscardReason::closing));
  });
}

TEST_F(PoolTest, Q20_CloseWaitsNoLongerThanTheDrain) {
  run([this] {
    Pool<Wire> pool{connector(), of_two()};
    Lease<Wire> stuck = pool.acquire();
    EXPECT_FALSE(pool.close(3s));
    EXPECT_EQ(3s, elapsed());
    stuck.release();
    settle();
    EXPECT_EQ(0u, peer.open);
    EXPECT_TRUE(pool.close(3s)) << "once more is no harm";
  });
}

TEST_F(PoolTest, ALeaseMayOutliveItsPool) {
  run([this] {
    std::optional<Pool<Wire>> pool{std::in_place, connector(), of_two()};
    Lease<Wire> lease = pool->acquire();
    pool.reset();
    EXPECT_EQ(1u, peer.open);
    EXPECT_EQ(1u, lease->number);
    lease.release();
    EXPECT_EQ(0u, peer.open);
  });
}

TEST_F(PoolTest, DestroyedItEndsWaitsAndDials) {
  run([this] {
    peer.dial_takes = 1h;
    std::optional<Pool<Wire>> pool{std::in_place, connector(), of_two()};
    auto waiter = create_task([&] { EXPECT_THROW(pool->acquire().release(), ClosedError); });
    settle();
    pool.reset();
    await(waiter);
    EXPECT_EQ(Duration::zero(), elapsed());
  });
}

TEST_F(PoolTest, AScopeClosesItAndGoodbyesAreSaid) {
  run([this] {
    CancellationScope::run([this] {
      auto pool = std::make_shared<Pool<Wire>>(connector(), of_two());
      AsyncResourceManager::add(pool);
      pool->acquire().release();
    });
    EXPECT_EQ(1u, peer.goodbyes);
    EXPECT_EQ(0u, peer.open);
  });
}

TEST_F(PoolTest, WhenItsScopeHasEndedAPoolIsClosed) {
  run([this] {
    std::shared_ptr<Pool<Wire>> pool;
    CancellationScope::run([&] { pool = std::make_shared<Pool<Wire>>(connector(), of_two()); });
    EXPECT_THROW(pool->acquire().release(), ClosedError);
    EXPECT_TRUE(pool->is_closed());
  });
}

TEST_F(PoolTest, AnIdlePoolKeepsNoLoopRunning) {
  auto holder = loop().create_task(
      [this] {
        Pool<Wire> pool{connector(), of_two()};
        pool.acquire().release();
        sleep_forever();
      },
      TaskOptions{.background = true});
  loop().run();
  EXPECT_EQ(TaskState::running, holder.state());
  EXPECT_EQ(Duration::zero(), elapsed());
  holder.cancel();
  loop().run();
}

TEST_F(PoolTest, ADestructorMayAskThePool) {
  run([] {
    struct Asks {
      ~Asks() { ask(); }
      std::function<void()> ask;
    };
    Pool<Asks>* known = nullptr;
    std::vector<std::size_t> sizes;
    Pool<Asks> pool{{.dial = [&] {
      auto made = std::make_unique<Asks>();
      made->ask = [&] { sizes.push_back(known->stats().size); };
      return made;
    }}};
    known = &pool;
    pool.acquire().discard();
    pool.acquire().release();
    pool.close(1s);
    EXPECT_EQ((std::vector<std::size_t>{1, 1}), sizes) << "each counts until it is gone";
  });
}

TEST_F(PoolTest, WhatMakesNoSenseIsRefused) {
  run([this] {
    EXPECT_THROW(Pool<Wire>{Connector<Wire>{}}, std::invalid_argument);
    EXPECT_THROW((Pool<Wire>{connector(), {.max_size = 0}}), std::invalid_argument);
    EXPECT_THROW((Pool<Wire>{connector(), {.max_size = 1, .min_idle = 2}}), std::invalid_argument);
    EXPECT_THROW((Pool<Wire>{connector(), {.max_dialing = 0}}), std::invalid_argument);
    EXPECT_THROW((Pool<Wire>{connector(), {.acquire_timeout = 0s}}), std::invalid_argument);
  });
  EXPECT_THROW(Pool<Wire>{connector()}, NotInTaskError);
}

TEST_F(PoolTest, Q8_AtRandomNothingIsLostOrLentTwice) {
  run([this] {
    peer.dial_takes = 2ms;
    peer.close_takes = 1ms;
    Pool<Wire> pool{connector(),
                    {.max_size = 3,
                     .max_waiting = 10'000,
                     .acquire_timeout = 20ms,
                     .max_lifetime = 50ms,
                     .dial_backoff = {.first = 1ms, .most = 4ms}}};
    std::vector<Wire*> held;
    unsigned random = 12345;
    const auto pick = [&](unsigned below) {
      random = random * 1103515245 + 12345;
      return (random >> 16) % below;
    };
    for (int round = 0; round < 300; ++round) {
      TaskGroup group;
      std::vector<Task<void>> tasks;
      for (int i = 0; i < 12; ++i) {
        tasks.push_back(group.spawn([&] {
          try {
            Lease<Wire> lease = pool.acquire();
            EXPECT_EQ(held.end(), std::find(held.begin(), held.end(), &*lease));
            held.push_back(&*lease);
            struct Away {
              std::vector<Wire*>& from;
              Wire* wire;
              ~Away() { std::erase(from, wire); }
            } const away{held, &*lease};
            lease.operate([&](Wire&) { sleep(std::chrono::milliseconds{pick(4)}); });
            if (pick(9) == 0) lease->cut = true;
            if (pick(9) == 0) lease.discard();
          } catch (const std::exception&) {  // down, or too late
          }
        }));
      }
      peer.down = pick(5) == 0;
      for (unsigned i = pick(8); i-- > 0;) {
        if (pick(2) == 0) sleep(std::chrono::milliseconds{pick(3)});
        tasks[pick(12)].cancel();
      }
      group.wait_all();
      const PoolStats stats = pool.stats();
      ASSERT_EQ(0u, stats.lent);
      ASSERT_EQ(0u, stats.waiting);
      ASSERT_GE(3u, stats.size);
      ASSERT_EQ(peer.open, stats.idle + stats.closing + stats.pinging);
    }
    EXPECT_GE(3u, peer.peak);
  });
}

}  // namespace
}  // namespace asyncio::test
