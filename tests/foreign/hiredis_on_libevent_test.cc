// hiredis, by its own adapter for libevent, in the loop whose guests we are.
#include <gtest/gtest.h>

#include <hiredis/adapters/libevent.h>

#include <asyncio/backends/libevent.h>
#include <asyncio/tests/foreign/redis_load.h>
#include <asyncio/tests/support/neighbours.h>

namespace asyncio::test {
namespace {

TEST(HiredisOnLibeventTest, ItsTenThousandCommandsAndOurTasksShareTheLoop) {
  event_base* host = event_base_new();
  {
    EventLoop loop{attach(host)};
    Neighbours neighbours{loop};
    RedisLoad load{10'000, [&] { neighbours.stop(); }};
    ASSERT_EQ(REDIS_OK, redisLibeventAttach(load.context(), host));
    load.start();

    event_base_dispatch(host);
    EXPECT_EQ(10'000, load.answered());
    neighbours.expect_progress();
    loop.shutdown();
  }
  event_base_free(host);
}

}  // namespace
}  // namespace asyncio::test
