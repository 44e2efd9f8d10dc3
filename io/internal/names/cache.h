// Names that are remembered for a while.
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <unordered_map>
#include <vector>

#include <asyncio/core/time.h>
#include <asyncio/io/ip_address.h>

namespace asyncio::detail {

/// When it is full, it forgets what was asked for least recently.
class NameCache {
 public:
  explicit NameCache(std::size_t most) noexcept : most_(most) {}

  /// Returns null for what is not known, or not any more.
  const std::vector<IpAddress>* find(const std::string& key, TimePoint now);
  void put(const std::string& key, std::vector<IpAddress> addresses, TimePoint good_until);
  void clear() noexcept;

 private:
  struct Entry {
    std::string key;
    std::vector<IpAddress> addresses;
    TimePoint good_until;
  };
  using Entries = std::list<Entry>;

  void forget(Entries::iterator entry) noexcept;

  std::size_t most_;
  Entries entries_;  ///< the most recent first
  std::unordered_map<std::string, Entries::iterator> by_key_;
};

}  // namespace asyncio::detail
