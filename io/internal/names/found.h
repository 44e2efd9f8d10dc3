// What a lookup has found.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <asyncio/core/time.h>
#include <asyncio/io/errors.h>
#include <asyncio/io/ip_address.h>

namespace asyncio::detail {

/// Why there is no address, for a message.
struct LookupFailure {
  ResolveError::Why why;
  std::string reason;
};

/// What name servers have said so far.
struct DnsAnswer {
  std::vector<IpAddress> v6;
  std::vector<IpAddress> v4;
  bool awaits_v6 = false;
  bool awaits_v4 = false;
  /// Once nothing is awaited and no address was found.
  std::optional<LookupFailure> failure;
  /// How long it may be remembered.
  Duration good_for = Duration::zero();
};

/// What is known of a host's addresses so far.
struct Found {
  std::vector<IpAddress> addresses;  ///< in the order in which to try them
  bool awaits_v6 = false;            ///< there may be such ones, too
  bool awaits_v4 = false;
};

/// Is told whenever more is found, and once when all is.  Must not suspend.
using FoundNews = std::function<void(const Found&)>;

}  // namespace asyncio::detail
