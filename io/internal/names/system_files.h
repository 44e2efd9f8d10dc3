// What the files of the system say about names.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <asyncio/io/internal/names/host_name.h>
#include <asyncio/io/ip_address.h>

namespace asyncio::detail {

/// The addresses of the names of a hosts file, by HostName::key().  A line that has no address in
/// front is passed over.
using HostsTable = std::unordered_map<std::string, std::vector<IpAddress>>;
HostsTable read_hosts(std::string_view text);

/// How the system finds hosts: the line `hosts:` of nsswitch.conf.
class HostSources {
 public:
  /// As without such a line: the hosts file, then name servers.
  HostSources() = default;
  explicit HostSources(std::string_view nsswitch_conf);

  /// Do the hosts file and then name servers find what the system would?
  bool are_hosts_and_dns_for(const HostName& name) const;

 private:
  bool are_known_ = true;
  bool know_this_host_ = false;  ///< its name, and its gateway's
};

}  // namespace asyncio::detail
