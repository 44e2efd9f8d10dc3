// What a client remembers of servers, to shorten the next handshake.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <asyncio/tls/internal/openssl.h>

namespace asyncio::detail {

/// Sessions by server.  When it is full, the oldest one goes.
/// Threads: any.
class TlsSessionCache {
 public:
  explicit TlsSessionCache(std::size_t most) : most_(most) {}

  void put(const std::string& server, SslSessionPtr session);
  /// The newest session with this server, or null.  One of TLS 1.3 is the caller's alone from then
  /// on: a ticket that was shown twice would tell that the two connections are of one client.
  SslSessionPtr take(const std::string& server);

 private:
  const std::size_t most_;
  std::mutex mutex_;
  std::vector<std::pair<std::string, SslSessionPtr>> oldest_first_;
};

}  // namespace asyncio::detail
