// Asking name servers.
#pragma once

#include <functional>
#include <memory>

#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/io/internal/names/found.h>
#include <asyncio/io/internal/names/host_name.h>
#include <asyncio/io/resolver.h>

namespace asyncio::detail {

/// Knows the name servers as they were when it was made.  Whoever looks a name up owns a share.
class DnsClient {
 public:
  using News = std::function<void(const DnsAnswer&)>;

  DnsClient() = default;
  virtual ~DnsClient() = default;
  DnsClient(const DnsClient&) = delete;
  DnsClient& operator=(const DnsClient&) = delete;

  /// Returns all that there is to know, and tells `news`, which must not suspend, of what comes
  /// earlier.
  /// Suspends: always.
  /// Cancels: Cancelled; what comes later is dropped.
  /// Throws: IoError; ClosedError.
  virtual DnsAnswer look_up(lowlevel::CurrentTask self, const HostName& name, AddressFamily family,
                            const char* call, const News& news) = 0;

  /// Those who wait get ClosedError.
  virtual void close() noexcept = 0;
  /// Was it made in this process, and not in the one that this was forked from?
  virtual bool is_of_this_process() const noexcept = 0;
  /// In the child of a fork: closes the descriptors here, and lets the parent's alone, whose tasks
  /// go on there.
  virtual void leave_to_parent() noexcept = 0;
};

/// Was the library built with what asks name servers?
bool have_dns_client() noexcept;
/// Throws: IoError.  Requires: have_dns_client().
std::shared_ptr<DnsClient> make_dns_client(const ResolverOptions& options, const char* call);

}  // namespace asyncio::detail
