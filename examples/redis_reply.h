// What Redis answered, owned.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include <hiredis/hiredis.h>

/// The answer to one command.  Move-only; frees what it holds.
class RedisReply {
 public:
  /// No answer at all.
  RedisReply() = default;

  /// Takes what `theirs` holds.  hiredis frees the reply that it shows to a callback; what is left
  /// for it is an empty shell.
  static RedisReply take(redisReply& theirs) {
    auto* mine = static_cast<redisReply*>(std::calloc(1, sizeof(redisReply)));
    if (mine == nullptr) throw std::bad_alloc();
    *mine = std::exchange(theirs, redisReply{});
    theirs.type = REDIS_REPLY_NIL;
    return RedisReply{mine};
  }

  explicit operator bool() const noexcept { return reply_ != nullptr; }

  int type() const noexcept { return reply_->type; }
  bool is_nil() const noexcept { return reply_->type == REDIS_REPLY_NIL; }
  bool is_error() const noexcept { return reply_->type == REDIS_REPLY_ERROR; }
  long long integer() const noexcept { return reply_->integer; }
  /// A string, status or error.  Any byte may be in it.
  std::string_view text() const noexcept { return text_of(*reply_); }
  /// The number of elements of an array.
  std::size_t size() const noexcept { return reply_->elements; }
  /// An element of an array, as long as this reply lives.
  const redisReply& operator[](std::size_t index) const noexcept { return *reply_->element[index]; }

  static std::string_view text_of(const redisReply& reply) noexcept {
    return {reply.str, reply.len};
  }

 private:
  struct Free {
    void operator()(redisReply* reply) const noexcept { freeReplyObject(reply); }
  };
  explicit RedisReply(redisReply* reply) noexcept : reply_(reply) {}

  std::unique_ptr<redisReply, Free> reply_;
};
