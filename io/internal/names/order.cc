#include <asyncio/io/internal/names/order.h>

#include <sys/socket.h>

#include <asyncio/io/fd.h>
#include <asyncio/io/internal/sockaddr.h>

namespace asyncio::detail {
namespace {

/// Does the kernel know a way there?  Nothing is sent.
bool has_route(const IpAddress& to) {
  const SocketAddress address{Endpoint{to, 9}};
  const Fd socket{::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  return socket.get() >= 0 && ::connect(socket.get(), address.get(), address.size) == 0;
}

}  // namespace

bool is_of(AddressFamily family, const IpAddress& address) noexcept {
  return family == AddressFamily::any || (family == AddressFamily::v6) == address.is_v6();
}

std::vector<IpAddress> only(AddressFamily family, std::vector<IpAddress> addresses) {
  std::erase_if(addresses, [family](const IpAddress& one) { return !is_of(family, one); });
  return addresses;
}

std::vector<IpAddress> in_order(const std::vector<IpAddress>& v6,
                                const std::vector<IpAddress>& v4) {
  const bool v4_first = !v6.empty() && !v4.empty() && !has_route(v6.front());
  std::vector<IpAddress> all = v4_first ? v4 : v6;
  const std::vector<IpAddress>& rest = v4_first ? v6 : v4;
  all.insert(all.end(), rest.begin(), rest.end());
  return all;
}

}  // namespace asyncio::detail
