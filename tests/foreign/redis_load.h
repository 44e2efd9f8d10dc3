// Ten thousand commands by hiredis's callbacks.
#pragma once

#include <functional>
#include <string>

#include <hiredis/async.h>

namespace asyncio::test {

/// Sends commands on one connection, some always under way, and checks each answer.  It needs only
/// hiredis: which loop serves the connection is for an adapter to know.
class RedisLoad {
 public:
  /// Connects to the server that the test runs beside.
  RedisLoad(int commands, std::function<void()> at_the_end);

  /// What adapters take.
  redisAsyncContext* context() const noexcept { return context_; }

  /// To be called once an adapter serves the connection.
  void start();

  int answered() const noexcept { return answered_; }

 private:
  void send_one();
  static void on_reply(redisAsyncContext* context, void* reply, void* self);

  static std::string text_of(int index) { return "text " + std::to_string(index); }

  redisAsyncContext* context_;
  const int commands_;
  std::function<void()> at_the_end_;
  int sent_ = 0;
  int answered_ = 0;
};

}  // namespace asyncio::test
