// Which of a host's addresses come first.
#pragma once

#include <vector>

#include <asyncio/io/ip_address.h>
#include <asyncio/io/resolver.h>

namespace asyncio::detail {

bool is_of(AddressFamily family, const IpAddress& address) noexcept;
/// Drops those of another family.
std::vector<IpAddress> only(AddressFamily family, std::vector<IpAddress> addresses);

/// IPv6 first, unless this machine has no way to there.  Within a family the order stays.
std::vector<IpAddress> in_order(const std::vector<IpAddress>& v6, const std::vector<IpAddress>& v4);

}  // namespace asyncio::detail
