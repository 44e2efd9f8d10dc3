// A client of Redis whose calls look as if they blocked: hiredis, on whatever loop the caller has.
//
// hiredis does not know our loop: it asks four functions to watch its socket, and two tasks do so,
// by wait_readable and wait_writable.  Hence the client needs no event library, runs on every
// backend, and as well on a loop that is a guest.  (The adapters that hiredis brings along want an
// ev_loop or event_base; they work beside an attached EventLoop too.)
#pragma once

#include <concepts>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <hiredis/async.h>

#include <asyncio/asyncio.h>
#include <asyncio/examples/redis_reply.h>

/// The server refused a command; what() is its text.
class RedisError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// There is no connection, or it was lost before the answer came.
class RedisConnectionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// One connection.  Any number of tasks may use it at once: their commands travel together and are
/// answered in order.
///
/// A lost connection stays lost: make a new client.  The program must ignore SIGPIPE, for hiredis
/// writes to a socket whose other end may be closed.
/// Threads: the loop's; made, used and destroyed by tasks.
class RedisClient {
 public:
  /// Connects to "/path/of/a/socket" or "host:port", while the first commands wait already.  A host
  /// that is not a number is looked up, which blocks.
  /// Suspends: never.
  /// Throws: RedisConnectionError; std::invalid_argument for a port that is no number.
  explicit RedisClient(const std::string& address);
  /// Tasks that still wait for an answer get RedisConnectionError.
  ~RedisClient();
  RedisClient(const RedisClient&) = delete;
  RedisClient& operator=(const RedisClient&) = delete;

  /// Sends the words of `words`, then each of `arguments` as one more word whatever is in it, and
  /// waits for the answer: command("INCR x"), command("SET greeting", text).
  /// Suspends: always.
  /// Cancels: Cancelled; Redis executes the command all the same, and its answer is dropped.
  /// Throws: RedisError; RedisConnectionError; std::invalid_argument for commands with more than
  /// one answer (SUBSCRIBE and its like, MONITOR).
  template <std::convertible_to<std::string_view>... Arguments>
  RedisReply command(std::string_view words, const Arguments&... arguments) {
    std::vector<std::string_view> all = split(words);
    (all.emplace_back(arguments), ...);
    return execute(all);
  }

  /// Returns false also once the scope that the client was made in is cancelled.
  bool connected() const noexcept { return context_ != nullptr && !servants_.is_cancelled(); }

 private:
  /// What the socket can be ready for, and whether hiredis wants to know.
  struct Direction {
    void (*wait)(int fd);
    void (*handle)(redisAsyncContext* context);
    asyncio::Event wanted;
  };

  static std::vector<std::string_view> split(std::string_view words);
  RedisReply execute(const std::vector<std::string_view>& words);
  void serve(Direction& direction);
  void disconnect() noexcept;
  void lend_loop();
  static void on_disconnected(void* client) noexcept;

  redisAsyncContext* context_ = nullptr;  // hiredis frees it when the connection ends
  Direction reading_{asyncio::wait_readable, redisAsyncHandleRead, {}};
  Direction writing_{asyncio::wait_writable, redisAsyncHandleWrite, {}};
  asyncio::TaskGroup servants_;
};
