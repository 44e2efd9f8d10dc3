#include <asyncio/tls/internal/host_name.h>

#include <algorithm>
#include <cstddef>
#include <stdexcept>

namespace asyncio::detail {
namespace {

bool can_be_a_name(std::string_view host) noexcept {
  if (host.empty() || host.size() > 253) return false;
  std::size_t label = 0;
  for (const char c : host) {
    if (c == '.') {
      if (label == 0) return false;
      label = 0;
    } else if (c <= ' ' || c > '~' || ++label > 63) {
      return false;
    }
  }
  return label > 0;
}

}  // namespace

TlsHost parse_tls_host(std::string_view host, const char* call) {
  if (std::optional<IpAddress> address = IpAddress::try_parse(host)) {
    return {std::string{host.substr(0, host.find('%'))}, address};
  }
  if (host.ends_with('.')) host.remove_suffix(1);
  if (can_be_a_name(host)) return {std::string{host}, std::nullopt};
  throw std::invalid_argument(std::string{call} +
                              ": no certificate can be for this host; give it a name as \"" +
                              "example.org\", or an address, of at most 253 bytes");
}

}  // namespace asyncio::detail
