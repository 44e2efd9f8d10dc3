#include <asyncio/io/internal/names/names.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <asyncio/core/errors.h>
#include <asyncio/io/internal/names/order.h>

namespace asyncio::detail {
namespace {

using Kind = ResolverOptions::Kind;

constexpr Duration between_looks = std::chrono::seconds{5};

/// What is wrong with `options`, or null.
const char* fault_of(const ResolverOptions& options) {
  if (options.timeout <= Duration::zero()) return "a timeout is positive";
  if (options.tries < 1) return "a server is tried at least once";
  for (const Endpoint& server : options.servers) {
    if (server.kind() != Endpoint::Kind::ip) return "a server is an address and a port";
    if (server.address().scope() != 0) return "a server's address has no interface";
  }
  if (options.kind == Kind::system && !options.servers.empty()) {
    return "the system asks its own servers; leave them out, or choose Kind::dns";
  }
  const bool needs_dns = options.kind == Kind::dns || !options.servers.empty();
  if (needs_dns && !have_dns_client()) {
    return "this build of the library asks no name servers; build it with c-ares (-Dares=enabled), "
           "or choose Kind::system";
  }
  return nullptr;
}

[[noreturn]] void throw_failure(const HostName& name, const char* call,
                                const LookupFailure& failure) {
  throw ResolveError(call_of_host(call, name.text()) + ": " + failure.reason, failure.why);
}

std::vector<IpAddress> not_empty(std::vector<IpAddress> addresses, const HostName& name,
                                 const char* call) {
  if (addresses.empty()) {
    throw_failure(name, call, {ResolveError::Why::no_address, "it has no address of the family"});
  }
  return addresses;
}

}  // namespace

Names::Names(ResolverOptions options, const char* call)
    : options_(std::move(options)),
      loop_(call),
      hosts_file_(options_.hosts),
      resolv_conf_(options_.resolv_conf),
      nsswitch_conf_(options_.nsswitch_conf),
      cache_(options_.cache_entries) {
  if (const char* const fault = fault_of(options_)) {
    throw std::invalid_argument(std::string{call} + ": " + fault);
  }
  if (!options_.servers.empty()) options_.kind = Kind::dns;
}

Names::~Names() { close(); }

void Names::close() noexcept {
  is_closed_ = true;
  if (dns_ == nullptr) return;
  dns_->close();
  dns_.reset();
}

void Names::check(const char* call) const {
  loop_.check(call, "resolver");
  if (!loop_.is_running_here()) {
    throw InvalidStateError(std::string{call} +
                            ": the resolver belongs to another event loop; make one in this loop");
  }
}

// ---- What nobody need be asked for --------------------------------------------------------------

void Names::look_at_files() {
  const TimePoint now = loop_.now();
  if (looked_at_files_ && now - *looked_at_files_ < between_looks) return;
  looked_at_files_ = now;
  if (hosts_file_.has_changed()) hosts_ = read_hosts(hosts_file_.read());
  if (nsswitch_conf_.has_changed()) sources_ = HostSources{nsswitch_conf_.read()};
  if (resolv_conf_.has_changed()) {
    dns_.reset();  // those who wait for an answer still own it
    cache_.clear();
  }
}

std::optional<std::vector<IpAddress>> Names::known(const HostName& name, AddressFamily family,
                                                   const char* call) {
  check(call);
  look_at_files();
  const auto entry = hosts_.find(name.key());
  if (name.is_within("localhost")) {
    std::vector<IpAddress> here;
    if (entry != hosts_.end()) here = entry->second;
    std::erase_if(here, [](const IpAddress& one) { return !one.is_loopback(); });
    if (only(family, here).empty()) {
      here = {IpAddress::loopback_v6(), IpAddress::loopback_v4()};
    }
    return only(family, std::move(here));
  }
  if (!is_found_by_files_and_dns(name)) return std::nullopt;
  if (entry != hosts_.end()) return not_empty(only(family, entry->second), name, call);
  if (const std::vector<IpAddress>* const kept = cache_.find(name.key(), loop_.now())) {
    const std::vector<IpAddress> wanted = only(family, *kept);
    if (!wanted.empty()) return wanted;
  }
  return std::nullopt;
}

// ---- Asking -------------------------------------------------------------------------------------

bool Names::is_found_by_files_and_dns(const HostName& name) const {
  if (options_.kind != Kind::automatic) return options_.kind == Kind::dns;
  return sources_.are_hosts_and_dns_for(name);
}

std::vector<IpAddress> Names::find(lowlevel::CurrentTask self, const HostName& name,
                                   AddressFamily family, const char* call, const FoundNews& news) {
  if (have_dns_client() && is_found_by_files_and_dns(name)) {
    return ask_name_servers(self, name, family, call, news);
  }
  const SystemLookups::Result result = system_.look_up(self, name, family, call);
  if (is_closed_) throw ClosedError(std::string{call} + ": the resolver was destroyed meanwhile");
  if (result.failure) throw_failure(name, call, *result.failure);
  return not_empty(result.addresses, name, call);
}

std::vector<IpAddress> Names::ask_name_servers(lowlevel::CurrentTask self, const HostName& name,
                                               AddressFamily family, const char* call,
                                               const FoundNews& news) {
  if (dns_ != nullptr && !dns_->is_of_this_process()) {
    dns_->leave_to_parent();
    dns_.reset();
  }
  if (dns_ == nullptr) dns_ = make_dns_client(options_, call);
  const std::shared_ptr<DnsClient> shared = dns_;
  const DnsAnswer answer =
      shared->look_up(self, name, family, call, [&news](const DnsAnswer& so_far) {
        news({in_order(so_far.v6, so_far.v4), so_far.awaits_v6, so_far.awaits_v4});
      });
  std::vector<IpAddress> addresses = in_order(answer.v6, answer.v4);
  if (addresses.empty()) throw_failure(name, call, *answer.failure);
  if (family == AddressFamily::any && answer.good_for > Duration::zero()) {
    cache_.put(name.key(), addresses, deadline_after(loop_.now(), answer.good_for));
  }
  return addresses;
}

}  // namespace asyncio::detail
