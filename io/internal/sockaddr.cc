#include <asyncio/io/internal/sockaddr.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

namespace asyncio::detail {
namespace {

Endpoint unix_endpoint(const sockaddr_un& address, std::size_t size) {
  const std::size_t before = offsetof(sockaddr_un, sun_path);
  if (size <= before) return Endpoint::unnamed();
  const std::string_view name{address.sun_path, size - before};
  if (name.front() == '\0') {
    return name.size() > 1 ? Endpoint::abstract(name.substr(1)) : Endpoint::unnamed();
  }
  return Endpoint::unix_path(name.substr(0, name.find('\0')));
}

Endpoint v6_endpoint(const sockaddr_in6& address) {
  IpAddress::V6 bytes;
  std::memcpy(bytes.data(), &address.sin6_addr, bytes.size());
  const std::uint16_t port = ntohs(address.sin6_port);
  if (IN6_IS_ADDR_V4MAPPED(&address.sin6_addr)) {
    return {IpAddress{IpAddress::V4{bytes[12], bytes[13], bytes[14], bytes[15]}}, port};
  }
  return {IpAddress{bytes, address.sin6_scope_id}, port};
}

}  // namespace

int family_of(const Endpoint& endpoint) noexcept {
  if (endpoint.is_unix()) return AF_UNIX;
  return endpoint.address().is_v6() ? AF_INET6 : AF_INET;
}

SocketAddress::SocketAddress(const Endpoint& endpoint, int family) noexcept {
  if (family == AF_UNSPEC) family = family_of(endpoint);
  storage.ss_family = static_cast<sa_family_t>(family);
  if (family == AF_UNIX) {
    auto& address = reinterpret_cast<sockaddr_un&>(storage);
    const bool is_path = endpoint.kind() == Endpoint::Kind::unix_path;
    const std::string& name = endpoint.name();
    // The NUL before an abstract name, or after a path, is there already.
    std::copy(name.begin(), name.end(), address.sun_path + (is_path ? 0 : 1));
    const std::size_t length = name.empty() ? 0 : name.size() + 1;
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  } else if (family == AF_INET6) {
    auto& address = reinterpret_cast<sockaddr_in6&>(storage);
    const IpAddress::V6 bytes = endpoint.address().v6();
    std::memcpy(&address.sin6_addr, bytes.data(), bytes.size());
    address.sin6_port = htons(endpoint.port());
    address.sin6_scope_id = endpoint.address().scope();
    size = sizeof address;
  } else {
    auto& address = reinterpret_cast<sockaddr_in&>(storage);
    const IpAddress::V4 bytes = endpoint.address().v4();
    std::memcpy(&address.sin_addr, bytes.data(), bytes.size());
    address.sin_port = htons(endpoint.port());
    size = sizeof address;
  }
}

Endpoint SocketAddress::endpoint() const {
  if (size == 0) return Endpoint::unnamed();  // the kernel tells nothing of a sender without a name
  if (storage.ss_family == AF_UNIX) {
    return unix_endpoint(reinterpret_cast<const sockaddr_un&>(storage), size);
  }
  if (storage.ss_family == AF_INET6) {
    return v6_endpoint(reinterpret_cast<const sockaddr_in6&>(storage));
  }
  const auto& address = reinterpret_cast<const sockaddr_in&>(storage);
  IpAddress::V4 bytes;
  std::memcpy(bytes.data(), &address.sin_addr, bytes.size());
  return {IpAddress{bytes}, ntohs(address.sin_port)};
}

}  // namespace asyncio::detail
