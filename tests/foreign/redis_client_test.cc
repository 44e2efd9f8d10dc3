// The client of Redis among the examples, on every backend.
#include <csignal>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <asyncio/asyncio.h>
#include <asyncio/examples/redis.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/neighbours.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

std::string address() { return std::getenv("REDIS_ADDRESS"); }

class RedisClientTest : public LoopTest {
 protected:
  RedisClientTest() {
    real_time();  // a server's answer is not on the virtual clock
    std::signal(SIGPIPE, SIG_IGN);
  }
};

TEST_F(RedisClientTest, TenThousandCommandsOfManyTasksGetTheirOwnAnswers) {
  Neighbours neighbours{loop()};
  run([&] {
    RedisClient redis{address()};
    constexpr int callers = 100;
    constexpr int calls = 100;
    TaskGroup group;
    for (int caller = 0; caller < callers; ++caller) {
      group.spawn([&redis, caller] {
        for (int call = 0; call < calls; ++call) {
          const std::string text = std::to_string(caller) + '/' + std::to_string(call);
          EXPECT_EQ(text, redis.command("ECHO", text).text());
        }
      });
    }
    group.wait_all();
  });
  neighbours.expect_progress();
}

TEST_F(RedisClientTest, ArgumentsMayHoldAnyByteAndRepliesOfEachKindAreRead) {
  run([] {
    RedisClient redis{address()};
    const std::string bytes{"a \0 \r\n b", 8};
    EXPECT_EQ("OK", redis.command("  SET   bytes ", bytes).text());
    EXPECT_EQ(bytes, redis.command("GET bytes").text());
    EXPECT_TRUE(redis.command("GET nothing").is_nil());
    const RedisReply both = redis.command("MGET bytes nothing");
    ASSERT_EQ(2u, both.size());
    EXPECT_EQ(bytes, RedisReply::text_of(both[0]));
    EXPECT_EQ(REDIS_REPLY_NIL, both[1].type);
    EXPECT_EQ(2, redis.command("DEL bytes nothing").integer() + 1);
  });
}

TEST_F(RedisClientTest, ARefusedCommandThrowsWhatTheServerSaid) {
  run([] {
    RedisClient redis{address()};
    EXPECT_TRUE(contains(message_of<RedisError>([&] { redis.command("NONSENSE"); }), "NONSENSE"));
    EXPECT_THROW(redis.command("subscribe news"), std::invalid_argument);
    EXPECT_THROW(redis.command("  "), std::invalid_argument);
    EXPECT_EQ("PONG", redis.command("PING").text()) << "the connection is as good as before";
  });
}

TEST_F(RedisClientTest, ACancelledCallerLeavesTheOthersTheirAnswers) {
  run([] {
    RedisClient redis{address()};
    RedisClient other{address()};
    EXPECT_THROW(timeout(5ms, [&] { redis.command("BLPOP jobs 0"); }), TimeoutException);
    auto next = create_task([&] { return std::string{redis.command("ECHO next").text()}; });
    other.command("RPUSH jobs one");  // the answer that nobody waits for any more
    EXPECT_EQ("next", await(next));
  });
}

TEST_F(RedisClientTest, ALostConnectionFailsEveryoneWhoWaits) {
  run([] {
    RedisClient redis{address()};
    RedisClient other{address()};
    const long long id = redis.command("CLIENT ID").integer();
    std::vector<Task<void>> waiting;
    for (int i = 0; i < 10; ++i)
      waiting.push_back(create_task([&] { redis.command("BLPOP jobs 0"); }));
    sleep(5ms);
    other.command("CLIENT KILL ID", std::to_string(id));
    for (auto& task : waiting) EXPECT_THROW(await(task), RedisConnectionError);
    EXPECT_FALSE(redis.connected());
    EXPECT_THROW(redis.command("PING"), RedisConnectionError);
    EXPECT_EQ("PONG", other.command("PING").text());
  });
}

TEST_F(RedisClientTest, ADestroyedClientFailsEveryoneWhoWaits) {
  run([] {
    auto redis = std::make_unique<RedisClient>(address());
    auto waiting = create_task([&] { redis->command("BLPOP jobs 0"); });
    sleep(5ms);
    redis.reset();
    EXPECT_THROW(await(waiting), RedisConnectionError);
  });
}

TEST_F(RedisClientTest, AClientOfACancelledScopeFailsWhoIsShieldedFromThat) {
  run([] {
    Event answered;
    auto waiting = create_task([&] {
      RedisClient redis{address()};
      redis.command("PING");
      answered.set();
      EXPECT_THROW(shield([&] { redis.command("BLPOP jobs 0"); }), RedisConnectionError);
      EXPECT_THROW(shield([&] { redis.command("PING"); }), RedisConnectionError);
    });
    answered.wait();
    waiting.cancel();
    await(waiting);
  });
}

TEST_F(RedisClientTest, WhereNobodyListensThereIsNoClient) {
  run([] {
    EXPECT_THROW(RedisClient{address() + ".not"}, RedisConnectionError);
    EXPECT_THROW(RedisClient{"localhost"}, std::invalid_argument);
    RedisClient refused{"127.0.0.1:1"};
    EXPECT_TRUE(
        contains(message_of<RedisConnectionError>([&] { refused.command("PING"); }), "refused"));
  });
}

}  // namespace
}  // namespace asyncio::test
