#include <asyncio/io/internal/names/system_lookup.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <new>
#include <system_error>
#include <utility>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <asyncio/core/lowlevel/thread_lane.h>
#include <asyncio/core/thread.h>
#include <asyncio/io/internal/sockaddr.h>

namespace asyncio::detail {
namespace {

constexpr lowlevel::ThreadLane lookup_threads{4};
constexpr lowlevel::WaitQueue::Kind shared_kind{"another task's lookup of the same name"};

LookupFailure failure_of_system(int status, int error) {
  using enum ResolveError::Why;
  switch (status) {
    case EAI_NONAME:
      return {no_such_name, "the system knows no such name"};
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
#ifdef EAI_ADDRFAMILY
    case EAI_ADDRFAMILY:
#endif
      return {no_address, "the system knows no address of that name"};
    case EAI_AGAIN:
      return {timed_out, "the system got no answer; it may later"};
    case EAI_MEMORY:
      throw std::bad_alloc{};
    case EAI_SYSTEM:
      return {server_failed, "the system failed: " + std::system_category().message(error)};
    default:
      return {server_failed, std::string{"the system failed: "} + ::gai_strerror(status)};
  }
}

/// Runs on a thread.
SystemLookups::Result ask_system(const std::string& name, int family) {
  addrinfo hints{};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;  // else each address comes once for every kind of socket
  addrinfo* list = nullptr;
  const int status = ::getaddrinfo(name.c_str(), nullptr, &hints, &list);
  if (status != 0) return {{}, failure_of_system(status, errno)};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned{list, &::freeaddrinfo};
  SystemLookups::Result result;
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
    if (one->ai_family != AF_INET && one->ai_family != AF_INET6) continue;
    result.addresses.push_back(SocketAddress{one->ai_addr, one->ai_addrlen}.endpoint().address());
  }
  if (result.addresses.empty()) result.failure = failure_of_system(EAI_NONAME, 0);
  return result;
}

int native(AddressFamily family) noexcept {
  switch (family) {
    case AddressFamily::v4:
      return AF_INET;
    case AddressFamily::v6:
      return AF_INET6;
    case AddressFamily::any:
      break;
  }
  return AF_UNSPEC;
}

}  // namespace

struct SystemLookups::Call {
  bool is_running = false;
  std::optional<Result> result;
  lowlevel::WaitQueue waiters;
};

SystemLookups::Result SystemLookups::look_up(lowlevel::CurrentTask self, const HostName& name,
                                             AddressFamily family, const char* call) {
  const std::string key =
      name.key() + (name.is_absolute() ? "./" : "/") + std::to_string(static_cast<int>(family));
  std::shared_ptr<Call>& kept = running_[key];
  if (kept == nullptr) kept = std::make_shared<Call>();
  const std::shared_ptr<Call> shared = kept;
  while (!shared->result) {
    if (shared->is_running) {
      shared->waiters.wait(self, shared_kind, call);
    } else {
      run(name, family, key, *shared);
    }
  }
  return *shared->result;
}

void SystemLookups::run(const HostName& name, AddressFamily family, const std::string& key,
                        Call& call) {
  /// Leaves it to the next one if this task is cancelled, and to nobody once there is none.
  struct Running {
    ~Running() {
      *is_wanted = false;
      call.is_running = false;
      if (call.result) call.waiters.wake_all();
      if (call.result || !call.waiters.wake_one()) lookups.running_.erase(key);
    }
    SystemLookups& lookups;
    const std::string& key;
    Call& call;
    std::shared_ptr<std::atomic<bool>> is_wanted = std::make_shared<std::atomic<bool>>(true);
  };
  call.is_running = true;
  const Running running{*this, key, call};
  call.result = to_thread(lookup_threads, abandon,
                          [text = name.text() + (name.is_absolute() ? "." : ""),
                           family = native(family), is_wanted = running.is_wanted] {
                            // It may have waited for a thread until nobody was there any more.
                            return *is_wanted ? ask_system(text, family) : Result{};
                          });
}

}  // namespace asyncio::detail
