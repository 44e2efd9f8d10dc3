// Whom a client wants to talk to.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <asyncio/io/ip_address.h>

namespace asyncio::detail {

/// What a certificate has to be for.
struct TlsHost {
  std::string name;                  ///< as it is shown to the server and in messages
  std::optional<IpAddress> address;  ///< if it is one: then the server is shown nothing
};

/// Throws: std::invalid_argument unless `host` can be a name: 1 to 253 bytes of ASCII, labels of 1
/// to 63, no space or control character.  A dot at the end is dropped.
TlsHost parse_tls_host(std::string_view host, const char* call);

}  // namespace asyncio::detail
