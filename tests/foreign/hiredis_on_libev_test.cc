// hiredis, by its own adapter for libev, in the loop whose guests we are.
#include <gtest/gtest.h>

#include <hiredis/adapters/libev.h>

#include <asyncio/backends/libev.h>
#include <asyncio/tests/foreign/redis_load.h>
#include <asyncio/tests/support/neighbours.h>

namespace asyncio::test {
namespace {

TEST(HiredisOnLibevTest, ItsTenThousandCommandsAndOurTasksShareTheLoop) {
  struct ev_loop* host = ev_loop_new(EVFLAG_AUTO);
  {
    EventLoop loop{attach(host)};
    Neighbours neighbours{loop};
    RedisLoad load{10'000, [&] { neighbours.stop(); }};
    ASSERT_EQ(REDIS_OK, redisLibevAttach(host, load.context()));
    load.start();

    ev_run(host, 0);
    EXPECT_EQ(10'000, load.answered());
    neighbours.expect_progress();
    loop.shutdown();
  }
  ev_loop_destroy(host);
}

}  // namespace
}  // namespace asyncio::test
