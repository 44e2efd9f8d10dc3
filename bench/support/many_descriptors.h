// As many descriptors as a process may have.
#pragma once

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace bench {

/// What a process needs beside those that a benchmark asks for.
constexpr std::int64_t kOtherDescriptors = 100;

/// Raises the limit of this process as far as it goes.  The usual soft limit of 1,024 is less than
/// one benchmark of many pipes needs.
inline void allow_many_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// How many there may be, after that.
inline std::int64_t descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1'024;
  return static_cast<std::int64_t>(limit.rlim_max);
}

/// Those of the sizes, in ascending order, that the limit has room for; instead of the first that
/// is too large, the most that there is room for.
inline std::vector<std::int64_t> fitting(std::vector<std::int64_t> sizes,
                                         std::int64_t limit = descriptor_limit()) {
  const std::int64_t room = limit - kOtherDescriptors;
  const auto end = std::find_if(sizes.begin(), sizes.end(), [=](auto size) { return size > room; });
  if (end == sizes.end()) return sizes;
  const bool differs = room > 0 && (end == sizes.begin() || *(end - 1) != room);
  if (differs) *end = room;
  sizes.erase(end + (differs ? 1 : 0), sizes.end());
  return sizes;
}

}  // namespace bench
