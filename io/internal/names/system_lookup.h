// Asking the system, which blocks a thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/wait_queue.h>
#include <asyncio/io/internal/names/found.h>
#include <asyncio/io/internal/names/host_name.h>
#include <asyncio/io/resolver.h>

namespace asyncio::detail {

/// getaddrinfo, on threads that each loop has for it alone.
class SystemLookups {
 public:
  struct Result {
    std::vector<IpAddress> addresses;
    std::optional<LookupFailure> failure;
  };

  /// Tasks that want the same share one call.
  /// Suspends: always.
  /// Cancels: Cancelled at once; the thread goes on by itself.  If other tasks share the call, one
  /// of them makes it anew.
  /// Throws: std::system_error if no thread can be started; std::bad_alloc.
  Result look_up(lowlevel::CurrentTask self, const HostName& name, AddressFamily family,
                 const char* call);

 private:
  struct Call;

  void run(const HostName& name, AddressFamily family, const std::string& key, Call& call);

  std::unordered_map<std::string, std::shared_ptr<Call>> running_;
};

}  // namespace asyncio::detail
