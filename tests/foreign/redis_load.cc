#include <asyncio/tests/foreign/redis_load.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

namespace asyncio::test {

RedisLoad::RedisLoad(int commands, std::function<void()> at_the_end)
    : context_(redisAsyncConnectUnix(std::getenv("REDIS_ADDRESS"))),
      commands_(commands),
      at_the_end_(std::move(at_the_end)) {
  EXPECT_EQ(0, context_->err) << context_->errstr;
}

void RedisLoad::start() {
  constexpr int under_way = 100;
  for (int i = 0; i < std::min(under_way, commands_); ++i) send_one();
}

void RedisLoad::send_one() {
  const std::string text = text_of(sent_++);
  EXPECT_EQ(REDIS_OK,
            redisAsyncCommand(context_, on_reply, this, "ECHO %b", text.data(), text.size()));
}

void RedisLoad::on_reply(redisAsyncContext* context, void* reply, void* self) {
  auto& load = *static_cast<RedisLoad*>(self);
  ASSERT_NE(nullptr, reply) << context->errstr;
  const auto& echoed = *static_cast<redisReply*>(reply);
  EXPECT_EQ(text_of(load.answered_), std::string_view(echoed.str, echoed.len));
  ++load.answered_;
  if (load.sent_ < load.commands_) {
    load.send_one();
  } else if (load.answered_ == load.commands_) {
    redisAsyncDisconnect(context);
    load.at_the_end_();
  }
}

}  // namespace asyncio::test
