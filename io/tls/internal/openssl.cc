#include <asyncio/tls/internal/openssl.h>

#include <openssl/err.h>

namespace asyncio::detail {

std::error_code take_openssl_error() noexcept {
  const unsigned long first = ERR_get_error();
  ERR_clear_error();
  if (ERR_SYSTEM_ERROR(first)) {
    return {static_cast<int>(ERR_GET_REASON(first)), std::system_category()};
  }
  return {static_cast<int>(first), tls_category()};
}

void throw_openssl_error(const std::string& what) { throw TlsError(what, take_openssl_error()); }

}  // namespace asyncio::detail
