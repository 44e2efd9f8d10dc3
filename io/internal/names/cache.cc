#include <asyncio/io/internal/names/cache.h>

#include <iterator>
#include <utility>

namespace asyncio::detail {

const std::vector<IpAddress>* NameCache::find(const std::string& key, TimePoint now) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  const Entries::iterator entry = found->second;
  if (entry->good_until <= now) {
    forget(entry);
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  return &entry->addresses;
}

void NameCache::put(const std::string& key, std::vector<IpAddress> addresses,
                    TimePoint good_until) {
  if (most_ == 0) return;
  if (const auto found = by_key_.find(key); found != by_key_.end()) forget(found->second);
  if (entries_.size() == most_) forget(std::prev(entries_.end()));
  entries_.push_front({key, std::move(addresses), good_until});
  by_key_.emplace(key, entries_.begin());
}

void NameCache::clear() noexcept {
  by_key_.clear();
  entries_.clear();
}

void NameCache::forget(Entries::iterator entry) noexcept {
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace asyncio::detail
