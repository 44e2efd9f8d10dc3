#include <asyncio/examples/redis.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

namespace {

/// What a callback gives to the task that waits for it.  The future is shared, so either may go
/// first: a cancelled caller leaves a callback that gives its answer to nobody.
struct Answer {
  RedisReply reply;  // none if the connection was lost
  std::string failure;
};
using Pending = asyncio::Future<Answer>;

Answer answer_from(const redisAsyncContext& context, redisReply* reply) {
  if (reply != nullptr) return {RedisReply::take(*reply), {}};
  const bool explained = context.errstr != nullptr && *context.errstr != '\0';
  return {{}, explained ? context.errstr : "the connection was closed"};
}

// C code calls this: without memory for the answer there is no way to go on, so noexcept.
void on_reply(redisAsyncContext* context, void* reply, void* argument) noexcept {
  const std::unique_ptr<Pending> pending(static_cast<Pending*>(argument));
  pending->set_result(answer_from(*context, static_cast<redisReply*>(reply)));
}

/// hiredis calls back many times for these, or never.
bool has_one_answer(std::string_view name) {
  constexpr std::array<std::string_view, 7> others = {"subscribe",   "psubscribe",   "ssubscribe",
                                                      "unsubscribe", "punsubscribe", "sunsubscribe",
                                                      "monitor"};
  return std::none_of(others.begin(), others.end(), [&](std::string_view other) {
    return std::equal(name.begin(), name.end(), other.begin(), other.end(), [](char a, char b) {
      return std::tolower(static_cast<unsigned char>(a)) == b;
    });
  });
}

redisAsyncContext* start_connecting(const std::string& address) {
  if (address.starts_with('/')) return redisAsyncConnectUnix(address.c_str());
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos) throw std::invalid_argument("\"" + address + "\" has no port");
  return redisAsyncConnect(address.substr(0, colon).c_str(), std::stoi(address.substr(colon + 1)));
}

}  // namespace

// The servants first: should connecting fail, they go with the group.  They look at nothing yet.
RedisClient::RedisClient(const std::string& address) {
  servants_.spawn([this] { serve(reading_); }, "redis reader");
  servants_.spawn([this] { serve(writing_); }, "redis writer");
  context_ = start_connecting(address);
  if (context_ == nullptr) throw std::bad_alloc();
  if (context_->err != 0) {
    const std::string reason = context_->errstr;
    disconnect();
    throw RedisConnectionError("cannot connect to " + address + ": " + reason);
  }
  lend_loop();
}

RedisClient::~RedisClient() { disconnect(); }

std::vector<std::string_view> RedisClient::split(std::string_view words) {
  std::vector<std::string_view> found;
  for (std::size_t begin = 0; (begin = words.find_first_not_of(' ', begin)) != words.npos;) {
    const std::size_t end = std::min(words.find(' ', begin), words.size());
    found.push_back(words.substr(begin, end - begin));
    begin = end;
  }
  if (found.empty()) throw std::invalid_argument("a command of no words");
  return found;
}

RedisReply RedisClient::execute(const std::vector<std::string_view>& words) {
  if (!has_one_answer(words.front())) {
    throw std::invalid_argument(std::string{words.front()} + " has more than one answer");
  }
  if (!connected()) throw RedisConnectionError("the connection was closed");
  std::vector<const char*> begins;
  std::vector<std::size_t> sizes;
  for (const std::string_view word : words) {
    begins.push_back(word.data());
    sizes.push_back(word.size());
  }
  auto pending = std::make_unique<Pending>();
  Pending answered = *pending;
  if (redisAsyncCommandArgv(context_, on_reply, pending.get(), static_cast<int>(words.size()),
                            begins.data(), sizes.data()) != REDIS_OK) {
    throw RedisConnectionError("the connection is closing");
  }
  static_cast<void>(pending.release());  // on_reply's, which is called in any case

  // From here on the client may go: nothing below looks at it.
  Answer answer = asyncio::await(std::move(answered));
  if (!answer.reply) throw RedisConnectionError(answer.failure);
  if (answer.reply.is_error()) throw RedisError(std::string{answer.reply.text()});
  return std::move(answer.reply);
}

void RedisClient::serve(Direction& direction) {
  try {
    for (direction.wanted.wait(); context_ != nullptr; direction.wanted.wait()) {
      direction.wait(context_->c.fd);
      if (context_ != nullptr) direction.handle(context_);  // the other servant may have lost it
    }
  } catch (const asyncio::ClosedError&) {  // on_disconnected() ended the wait
  } catch (...) {
    disconnect();  // without a servant nobody would get an answer
    throw;
  }
}

void RedisClient::disconnect() noexcept {
  if (context_ != nullptr) redisAsyncFree(context_);
  context_ = nullptr;
}

void RedisClient::lend_loop() {
  context_->ev.data = this;
  context_->ev.addRead = [](void* self) { static_cast<RedisClient*>(self)->reading_.wanted.set(); };
  context_->ev.delRead = [](void* self) {
    static_cast<RedisClient*>(self)->reading_.wanted.clear();
  };
  context_->ev.addWrite = [](void* self) {
    static_cast<RedisClient*>(self)->writing_.wanted.set();
  };
  context_->ev.delWrite = [](void* self) {
    static_cast<RedisClient*>(self)->writing_.wanted.clear();
  };
  context_->ev.cleanup = on_disconnected;
}

// hiredis closes the socket next.
void RedisClient::on_disconnected(void* client) noexcept {
  auto& self = *static_cast<RedisClient*>(client);
  asyncio::notify_closing(std::exchange(self.context_, nullptr)->c.fd);
  self.reading_.wanted.set();
  self.writing_.wanted.set();
}
