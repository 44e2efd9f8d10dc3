// From the name of a host to its addresses.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <asyncio/core/time.h>
#include <asyncio/io/endpoint.h>
#include <asyncio/io/export.h>
#include <asyncio/io/ip_address.h>

namespace asyncio {

namespace detail {
class Names;
}

/// Which addresses are wanted.
enum class AddressFamily : std::uint8_t { any, v4, v6 };

struct ResolverOptions {
  enum class Kind : std::uint8_t {
    automatic,  ///< dns, where it finds what the system itself would, and system elsewhere
    dns,        ///< the hosts file, then name servers, without a thread
    system,     ///< getaddrinfo, on up to four threads that each loop has for it
  };

  Kind kind = Kind::automatic;
  /// Whom to ask instead of the system's name servers; port 0 stands for 53.  With some here,
  /// `automatic` is `dns`.
  std::vector<Endpoint> servers = {};
  /// How long the first try waits for a server, and how often each one is tried; every round of
  /// tries waits twice as long as the one before.  Of `dns` only.
  Duration timeout = std::chrono::seconds{2};
  int tries = 3;
  /// Domains in which a name is looked for that has no dot at its end.  None: those of resolv.conf;
  /// to search in none at all, give it ".".  Of `dns` only.
  std::vector<std::string> search = {};
  /// How many names are remembered, each for as long as its servers allow.  Of `dns` only.
  std::size_t cache_entries = 0;
  /// The files of the system that tell how names are looked up.  They are looked at again when 5 s
  /// have passed.  Of `dns` and `automatic`.
  std::string hosts = "/etc/hosts";
  std::string resolv_conf = "/etc/resolv.conf";
  std::string nsswitch_conf = "/etc/nsswitch.conf";
};

/// Looks names up.  Belongs to the loop it was made in.
///
/// A literal address is itself, and `localhost`, with whatever is below it, an address of this
/// machine, without asking anybody.  An entry of the hosts file is all that there is about its
/// name.  Otherwise both families are asked for at the same time.  Tasks that ask for the same name
/// at the same time share one query; of different names up to 64 are asked for, and the next ones
/// wait until it is their turn.
///
/// Nothing of it works in the background: of the tasks that wait, one does the work for all.
/// Destroyed while tasks wait: they get ClosedError.
/// Threads: the loop's thread.
class ASYNCIO_IO_API Resolver {
 public:
  /// Throws: std::invalid_argument for options that have no sense, and for `Kind::dns` if the
  /// library was built without c-ares; NoRunningLoopError.
  explicit Resolver(ResolverOptions options = {});
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// Returns the addresses of `host`, those first that are to be tried first: at least one.
  ///
  /// A name has 1 to 253 bytes of ASCII, in labels of at most 63.  One in other scripts has to be
  /// given in its ASCII form (`xn--...`).  What looks like an IPv4 address and is none is refused.
  /// Suspends: always, unless `host` is a literal.
  /// Cancels: Cancelled at once; an answer that comes later is dropped.
  /// Throws: ResolveError; IoError if the system has no descriptor or memory left for it;
  /// std::system_error if it has no thread; ClosedError; InvalidStateError in another loop;
  /// NotInTaskError.
  /// Cost: of `dns`, one query for each family, and no thread.  A `system` lookup holds one of four
  /// threads until getaddrinfo returns, also after a cancel; a fifth one waits for it.
  std::vector<IpAddress> resolve(std::string_view host, AddressFamily family = AddressFamily::any);

 private:
  friend class TcpStream;

  std::shared_ptr<detail::Names> names_;
};

struct ResolveOptions {
  AddressFamily family = AddressFamily::any;
  /// Null: the one that each loop has, with the options that a Resolver begins with.
  Resolver* resolver = nullptr;
};

/// As Resolver::resolve(), by the resolver of the loop.
ASYNCIO_IO_API std::vector<IpAddress> resolve(std::string_view host,
                                              const ResolveOptions& options = {});

}  // namespace asyncio
