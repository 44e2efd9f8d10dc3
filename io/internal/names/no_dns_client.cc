// What stands in for c-ares in a build without it.
#include <asyncio/io/internal/names/dns_client.h>

namespace asyncio::detail {

bool have_dns_client() noexcept { return false; }

std::shared_ptr<DnsClient> make_dns_client(const ResolverOptions& /*options*/,
                                           const char* /*call*/) {
  return nullptr;
}

}  // namespace asyncio::detail
