#include <asyncio/tls/internal/session_cache.h>

#include <algorithm>

namespace asyncio::detail {

void TlsSessionCache::put(const std::string& server, SslSessionPtr session) {
  const std::lock_guard lock{mutex_};
  if (most_ == 0) return;
  if (oldest_first_.size() == most_) oldest_first_.erase(oldest_first_.begin());
  oldest_first_.emplace_back(server, std::move(session));
}

SslSessionPtr TlsSessionCache::take(const std::string& server) {
  const std::lock_guard lock{mutex_};
  const auto newest = std::find_if(oldest_first_.rbegin(), oldest_first_.rend(),
                                   [&](const auto& entry) { return entry.first == server; });
  if (newest == oldest_first_.rend()) return nullptr;
  if (SSL_SESSION_get_protocol_version(newest->second.get()) < TLS1_3_VERSION) {
    SSL_SESSION_up_ref(newest->second.get());
    return SslSessionPtr{newest->second.get()};
  }
  SslSessionPtr session = std::move(newest->second);
  oldest_first_.erase(std::next(newest).base());
  return session;
}

}  // namespace asyncio::detail
