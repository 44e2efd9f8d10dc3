#include <asyncio/io/endpoint.h>

#include <charconv>
#include <optional>
#include <stdexcept>

namespace asyncio {
namespace {

constexpr std::size_t longest_name = 107;  // what sockaddr_un has room for, less a NUL

void check_name(const char* call, std::string_view name) {
  if (!name.empty() && name.size() <= longest_name) return;
  throw std::invalid_argument(std::string{call} + "(" + std::to_string(name.size()) +
                              " bytes): give it 1 to " + std::to_string(longest_name) +
                              " bytes; for a longer path, change the directory or use a link");
}

std::optional<std::uint16_t> read_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return port;
}

std::optional<Endpoint> read_ip(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  const std::optional<std::uint16_t> port = read_port(text.substr(colon + 1));
  std::string_view host = text.substr(0, colon);
  if (!port) return std::nullopt;
  if (host == "*") return Endpoint::any(*port);
  const bool in_brackets = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (in_brackets) host = host.substr(1, host.size() - 2);
  const std::optional<IpAddress> address = IpAddress::try_parse(host);
  if (!address || address->is_v6() != in_brackets) return std::nullopt;
  return Endpoint{*address, *port};
}

}  // namespace

Endpoint Endpoint::any(std::uint16_t port) noexcept {
  Endpoint endpoint{Kind::any, {}};
  endpoint.port_ = port;
  return endpoint;
}

Endpoint Endpoint::unix_path(std::string_view path) {
  check_name("Endpoint::unix_path", path);
  if (path.find('\0') != path.npos) {
    throw std::invalid_argument(
        "Endpoint::unix_path: a path ends at a NUL; for a name in the abstract namespace call "
        "Endpoint::abstract");
  }
  return {Kind::unix_path, path};
}

Endpoint Endpoint::abstract(std::string_view name) {
  check_name("Endpoint::abstract", name);
  return {Kind::abstract, name};
}

Endpoint Endpoint::unnamed() noexcept { return {Kind::unnamed, {}}; }

Endpoint Endpoint::parse(std::string_view text) {
  constexpr std::string_view of_unix = "unix:";
  if (text.starts_with(of_unix)) {
    const std::string_view name = text.substr(of_unix.size());
    return name.starts_with('@') ? abstract(name.substr(1)) : unix_path(name);
  }
  if (const std::optional<Endpoint> endpoint = read_ip(text)) return *endpoint;
  throw std::invalid_argument("Endpoint::parse(\"" + std::string{text} +
                              "\"): write 192.0.2.1:80, [2001:db8::1]:80, *:80, unix:/run/name or "
                              "unix:@name");
}

std::string Endpoint::to_string() const {
  switch (kind_) {
    case Kind::ip:
      return (address_.is_v6() ? std::string{"["} + address_.to_string() + "]"
                               : address_.to_string()) +
             ":" + std::to_string(port_);
    case Kind::any:
      return std::string{"*:"} + std::to_string(port_);
    case Kind::unix_path:
      return std::string{"unix:"} + name_;
    case Kind::abstract:
      return std::string{"unix:@"} + name_;
    case Kind::unnamed:
      break;
  }
  return "unix:(unnamed)";
}

}  // namespace asyncio
