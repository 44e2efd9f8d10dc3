#include <asyncio/io/resolver.h>

#include <optional>
#include <utility>

#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/loop.h>
#include <asyncio/io/internal/names/names.h>
#include <asyncio/io/internal/names/order.h>

namespace asyncio {
namespace {

/// Throws if `literal` is not of the family.
std::vector<IpAddress> just(const IpAddress& literal, AddressFamily family, const char* call,
                            std::string_view host) {
  if (detail::is_of(family, literal)) return {literal};
  throw ResolveError(detail::call_of_host(call, host) + ": it is an address of the other family",
                     ResolveError::Why::no_address);
}

}  // namespace

Resolver::Resolver(ResolverOptions options)
    : names_(std::make_shared<detail::Names>(std::move(options), "Resolver")) {}

Resolver::~Resolver() { names_->close(); }

std::vector<IpAddress> Resolver::resolve(std::string_view host, AddressFamily family) {
  constexpr const char* call = "resolve";
  lowlevel::CurrentTask self = lowlevel::enter(call);
  if (const std::optional<IpAddress> literal = IpAddress::try_parse(host)) {
    std::vector<IpAddress> addresses = just(*literal, family, call, host);
    self.spend();
    return addresses;
  }
  const detail::HostName name{host, call};
  const std::shared_ptr<detail::Names> names = names_;
  if (auto addresses = names->known(name, family, call)) {
    self.yield();
    return *std::move(addresses);
  }
  return names->find(self, name, family, call, [](const detail::Found&) {});
}

Resolver& detail::resolver_of_loop(const char* call) {
  static constinit lowlevel::LoopSlot<Resolver> of_each_loop;
  return of_each_loop.here(call);
}

std::vector<IpAddress> resolve(std::string_view host, const ResolveOptions& options) {
  lowlevel::current("resolve");
  Resolver& resolver =
      options.resolver != nullptr ? *options.resolver : detail::resolver_of_loop("resolve");
  return resolver.resolve(host, options.family);
}

}  // namespace asyncio
