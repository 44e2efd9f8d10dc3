// What a Resolver does: which way a name is looked up, and what is remembered.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/loop.h>
#include <asyncio/core/time.h>
#include <asyncio/io/internal/names/cache.h>
#include <asyncio/io/internal/names/dns_client.h>
#include <asyncio/io/internal/names/found.h>
#include <asyncio/io/internal/names/host_name.h>
#include <asyncio/io/internal/names/system_files.h>
#include <asyncio/io/internal/names/system_lookup.h>
#include <asyncio/io/internal/names/watched_file.h>
#include <asyncio/io/resolver.h>

namespace asyncio::detail {

/// The one with the options that a Resolver begins with.
/// Throws: NoRunningLoopError.
Resolver& resolver_of_loop(const char* call);

/// Whoever looks a name up owns a share, so that the Resolver may go meanwhile.
class Names {
 public:
  /// Throws: as Resolver.
  Names(ResolverOptions options, const char* call);
  ~Names();
  Names(const Names&) = delete;
  Names& operator=(const Names&) = delete;

  /// The addresses of `name`, if nobody need be asked for them.
  /// Throws: ResolveError if it is known that there are none; ClosedError; InvalidStateError in
  /// another loop.
  std::optional<std::vector<IpAddress>> known(const HostName& name, AddressFamily family,
                                              const char* call);
  /// Asks for the addresses of `name`, and returns them all: at least one.  Tells `news` of what
  /// comes earlier.
  /// Suspends: always.
  /// Throws: as Resolver::resolve().
  std::vector<IpAddress> find(lowlevel::CurrentTask self, const HostName& name,
                              AddressFamily family, const char* call, const FoundNews& news);

  /// Those who wait get ClosedError.
  void close() noexcept;

 private:
  void check(const char* call) const;
  /// Looks at the system's files, if that was not done lately.
  void look_at_files();
  /// Or is the system to be asked?
  bool is_found_by_files_and_dns(const HostName& name) const;
  std::vector<IpAddress> ask_name_servers(lowlevel::CurrentTask self, const HostName& name,
                                          AddressFamily family, const char* call,
                                          const FoundNews& news);

  ResolverOptions options_;
  lowlevel::LoopRef loop_;
  WatchedFile hosts_file_;
  WatchedFile resolv_conf_;
  WatchedFile nsswitch_conf_;
  std::optional<TimePoint> looked_at_files_;
  HostsTable hosts_;
  HostSources sources_;
  NameCache cache_;
  std::shared_ptr<DnsClient> dns_;  ///< with the name servers of now
  SystemLookups system_;
  bool is_closed_ = false;
};

}  // namespace asyncio::detail
