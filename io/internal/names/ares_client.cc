// Facts about c-ares 1.18 that shape this file:
//  * It drops a query only together with all others, or with its channel.  So one that nobody waits
//    for stays, and its answer is dropped; when nobody waits for any, all are.
//  * Between two families it knows nothing: asked for both at once it answers when the slower one
//    has, and searching domains for each by itself it would mix addresses of different hosts.  So
//    the families are asked apart, and domains are searched here.
//  * A name with a dot at its end is not searched for in domains.
//  * It says that an answer is good that has no address in it.
//  * It closes a socket after it has said so, and may get the same number for the next one.
#include <asyncio/io/internal/names/ares_client.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <new>
#include <utility>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <asyncio/io/internal/names/ares_failure.h>
#include <asyncio/io/internal/sockaddr.h>

namespace asyncio::detail {
namespace {

// Each is two queries, and the answers to all have to fit into the buffers of a socket.
constexpr int most_lookups = 64;
constexpr std::size_t longest_name = 253;

constexpr lowlevel::WaitQueue::Kind answer_kind{"answer of a name server"};

int in_milliseconds(Duration time) noexcept {
  const auto count = std::chrono::ceil<std::chrono::milliseconds>(time).count();
  constexpr decltype(count) most = std::numeric_limits<int>::max();
  return static_cast<int>(std::min(count, most));
}

void set_servers(ares_channel channel, const std::vector<Endpoint>& servers) {
  std::vector<ares_addr_port_node> nodes(servers.size());
  for (std::size_t i = 0; i < servers.size(); ++i) {
    const IpAddress& address = servers[i].address();
    ares_addr_port_node& node = nodes[i];
    node.next = i + 1 < servers.size() ? &nodes[i + 1] : nullptr;
    node.udp_port = node.tcp_port = servers[i].port();  // 0: the channel's, which is 53
    if (address.is_v4()) {
      node.family = AF_INET;
      const IpAddress::V4 bytes = address.v4();
      std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::uint8_t*>(&node.addr.addr4));
    } else {
      node.family = AF_INET6;
      const IpAddress::V6 bytes = address.v6();
      std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::uint8_t*>(&node.addr.addr6));
    }
  }
  if (ares_set_servers_ports(channel, nodes.data()) != ARES_SUCCESS) throw std::bad_alloc{};
}

Duration shortest_ttl(const ares_addrinfo& result) noexcept {
  int seconds = std::numeric_limits<int>::max();
  for (const auto* node = result.nodes; node != nullptr; node = node->ai_next) {
    seconds = std::min(seconds, node->ai_ttl);
  }
  for (const auto* alias = result.cnames; alias != nullptr; alias = alias->next) {
    seconds = std::min(seconds, alias->ttl);
  }
  return std::chrono::seconds{std::max(seconds, 0)};
}

}  // namespace

// ---- What is kept of a lookup -------------------------------------------------------------------

/// One of the two families, of the name that is asked for now.
struct AresClient::OfFamily {
  int family;
  std::optional<LookupFailure> failure;
  Duration good_for = Duration::zero();
};

/// Lives as long as c-ares has a question for it, or a task waits for it.
struct AresClient::Lookup {
  std::string key;
  AddressFamily family = AddressFamily::any;
  std::vector<std::string> candidates;  ///< names to ask for, until one has an address
  std::size_t at = 0;
  int pending = 0;
  OfFamily v6{AF_INET6, {}, {}};
  OfFamily v4{AF_INET, {}, {}};
  DnsAnswer answer;
  std::uint64_t version = 0;  ///< of `answer`
  bool is_done = false;
  bool is_dropped = false;  ///< by c-ares, because all are
  lowlevel::WaitQueue waiters;
  std::size_t users = 0;
  std::optional<SemaphorePermit> permit;
};

/// What c-ares is given to remember.
struct AresClient::Question {
  AresClient& client;
  std::shared_ptr<Lookup> lookup;
  OfFamily& of;
};

/// A task that wants an answer.
struct AresClient::User {
  User(AresClient& of_client, Lookup& of_lookup) noexcept : client(of_client), lookup(of_lookup) {
    ++client.users_;
    ++lookup.users;
  }
  ~User() {
    if (--lookup.users == 0) lookup.permit.reset();
    if (--client.users_ == 0) {
      client.give_up();
    } else if (!client.is_driven_) {
      client.hand_on();
    }
  }
  User(const User&) = delete;
  User& operator=(const User&) = delete;

  AresClient& client;
  Lookup& lookup;
};

// ---- Making and ending --------------------------------------------------------------------------

AresClient::AresClient(const ResolverOptions& options, const char* call)
    : sockets_(call), room_(most_lookups) {
  ares_options how{};
  std::string path = options.resolv_conf;
  std::string lookups = "b";
  how.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
  how.timeout = in_milliseconds(options.timeout);
  how.tries = options.tries;
  how.lookups = lookups.data();
  how.resolvconf_path = path.data();
  how.sock_state_cb_data = &sockets_;
  how.sock_state_cb = [](void* sockets, int fd, int readable, int writable) {
    static_cast<AresSockets*>(sockets)->watch(fd, readable != 0, writable != 0);
  };
  const int status =
      ares_init_options(&channel_, &how,
                        ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
                            ARES_OPT_RESOLVCONF | ARES_OPT_SOCK_STATE_CB);
  if (status != ARES_SUCCESS) throw_ares_error(call, status);
  ares_set_socket_functions(channel_, &ares_socket_calls(), nullptr);
  try {
    if (!options.servers.empty()) set_servers(channel_, options.servers);
    learn_search_list(options);
  } catch (...) {
    ares_destroy(channel_);
    throw;
  }
}

AresClient::~AresClient() {
  if (!sockets_.is_of_this_process()) leave_to_parent();
  if (channel_ != nullptr) ares_destroy(channel_);
}

void AresClient::close() noexcept {
  is_closed_ = true;
  sockets_.close();
  for (const auto& [key, lookup] : in_flight_) lookup->waiters.wake_all();
}

void AresClient::leave_to_parent() noexcept {
  is_left_to_parent_ = true;
  if (channel_ != nullptr) ares_destroy(std::exchange(channel_, nullptr));
  close();  // tasks that came along are told
}

void AresClient::learn_search_list(const ResolverOptions& options) {
  ares_options known{};
  int mask = 0;
  const int status = ares_save_options(channel_, &known, &mask);
  struct Freed {
    ~Freed() { ares_destroy_options(&options); }
    ares_options& options;
  } const freed{known};
  if (status != ARES_SUCCESS) throw std::bad_alloc{};
  ndots_ = static_cast<std::size_t>(std::max(known.ndots, 0));
  search_ = options.search;
  if (search_.empty()) search_.assign(known.domains, known.domains + std::max(known.ndomains, 0));
  for (std::string& domain : search_) {
    if (domain.ends_with('.')) domain.pop_back();
  }
  std::erase(search_, "");
}

std::vector<std::string> AresClient::candidates(const HostName& name) const {
  std::vector<std::string> names;
  const auto add = [&](const std::string& text) {
    if (text.size() <= longest_name) names.push_back(text + ".");
  };
  const bool as_it_is_first = name.is_absolute() || name.dots() >= ndots_;
  if (as_it_is_first) add(name.text());
  if (!name.is_absolute()) {
    for (const std::string& domain : search_) add(name.text() + "." + domain);
  }
  if (!as_it_is_first) add(name.text());
  return names;
}

// ---- Looking up ---------------------------------------------------------------------------------

DnsAnswer AresClient::look_up(lowlevel::CurrentTask self, const HostName& name,
                              AddressFamily family, const char* call, const News& news) {
  const std::shared_ptr<AresClient> shared = shared_from_this();
  const std::shared_ptr<Lookup> lookup = join_or_start(name, family);
  const User user{*this, *lookup};
  std::uint64_t told = 0;
  if (lookup->is_done) self.yield();  // at once, if no server could be asked
  while (!lookup->is_done) {
    if (is_closed_) throw_closed(call);
    if (std::exchange(told, lookup->version) != lookup->version) news(lookup->answer);
    wait_for_news(self, *lookup, call);
  }
  return lookup->answer;
}

std::shared_ptr<AresClient::Lookup> AresClient::join_or_start(const HostName& name,
                                                              AddressFamily family) {
  const std::string key =
      name.key() + (name.is_absolute() ? "./" : "/") + std::to_string(static_cast<int>(family));
  std::optional<SemaphorePermit> permit;
  for (;;) {
    if (const auto found = in_flight_.find(key); found != in_flight_.end()) return found->second;
    if (permit) break;
    permit = room_.acquire_permit();
  }
  auto lookup = std::make_shared<Lookup>();
  lookup->key = key;
  lookup->family = family;
  lookup->candidates = candidates(name);
  lookup->permit = std::move(permit);
  in_flight_.emplace(key, lookup);
  ask(lookup);
  set_timer();
  return lookup;
}

void AresClient::ask(const std::shared_ptr<Lookup>& lookup) {
  const bool wants_v6 = lookup->family != AddressFamily::v4;
  const bool wants_v4 = lookup->family != AddressFamily::v6;
  lookup->answer.awaits_v6 = wants_v6;
  lookup->answer.awaits_v4 = wants_v4;
  lookup->pending = (wants_v6 ? 1 : 0) + (wants_v4 ? 1 : 0);
  // The callback may come before the call is back, and then go on to the next name.
  const std::string name = lookup->candidates[lookup->at];
  for (OfFamily* of : {&lookup->v6, &lookup->v4}) {
    of->failure.reset();
    if (!(of == &lookup->v6 ? wants_v6 : wants_v4)) continue;
    auto question = std::make_unique<Question>(Question{*this, lookup, *of});
    ares_addrinfo_hints hints{};
    hints.ai_family = of->family;
    hints.ai_socktype = SOCK_STREAM;
    ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, &answered, question.release());
  }
}

void AresClient::answered(void* question, int status, int /*timeouts*/,
                          ares_addrinfo* result) noexcept {
  const std::unique_ptr<Question> owned{static_cast<Question*>(question)};
  const std::unique_ptr<ares_addrinfo, decltype(&ares_freeaddrinfo)> freed{result,
                                                                           &ares_freeaddrinfo};
  AresClient& client = owned->client;
  if (client.is_left_to_parent_) return;
  try {
    client.take(*owned, status, result);
  } catch (...) {  // there is no memory
    owned->lookup->answer.failure = {ResolveError::Why::server_failed, "out of memory"};
    client.finish(*owned->lookup);
  }
}

void AresClient::take(Question& question, int status, const ares_addrinfo* result) {
  Lookup& lookup = *question.lookup;
  if (lookup.is_done) return;
  OfFamily& of = question.of;
  DnsAnswer& answer = lookup.answer;
  const bool is_v6 = of.family == AF_INET6;
  std::vector<IpAddress>& addresses = is_v6 ? answer.v6 : answer.v4;
  (is_v6 ? answer.awaits_v6 : answer.awaits_v4) = false;
  --lookup.pending;
  ++lookup.version;
  lookup.is_dropped |= status == ARES_ECANCELLED || status == ARES_EDESTRUCTION;
  if (status == ARES_SUCCESS && result != nullptr) {
    for (const auto* node = result->nodes; node != nullptr; node = node->ai_next) {
      if (node->ai_family != of.family) continue;
      addresses.push_back(SocketAddress{node->ai_addr, node->ai_addrlen}.endpoint().address());
    }
    of.good_for = shortest_ttl(*result);
  }
  if (addresses.empty()) of.failure = ares_failure(status == ARES_SUCCESS ? ARES_ENODATA : status);
  if (lookup.pending == 0) {
    end_candidate(question.lookup);
  } else {
    lookup.waiters.wake_all();
  }
}

void AresClient::end_candidate(const std::shared_ptr<Lookup>& lookup) {
  DnsAnswer& answer = lookup->answer;
  const OfFamily& v6 = lookup->v6;
  const OfFamily& v4 = lookup->v4;
  if (!answer.v6.empty() || !answer.v4.empty()) {
    answer.failure.reset();
    answer.good_for = Duration::max();
    for (const OfFamily* of : {&v6, &v4}) {
      const bool has_some = !(of == &v6 ? answer.v6 : answer.v4).empty();
      if (has_some) answer.good_for = std::min(answer.good_for, of->good_for);
      // There may be more addresses than these.
      if (of->failure && is_temporary(*of->failure)) answer.good_for = Duration::zero();
    }
    finish(*lookup);
    return;
  }
  for (const OfFamily* of : {&v6, &v4}) {
    if (of->failure) answer.failure = the_more_telling(answer.failure, *of->failure);
  }
  const bool silent = answer.failure->why == ResolveError::Why::timed_out;
  if (lookup->is_dropped || silent || ++lookup->at == lookup->candidates.size()) {
    finish(*lookup);
  } else {
    ask(lookup);
  }
}

void AresClient::finish(Lookup& lookup) noexcept {
  lookup.is_done = true;
  lookup.permit.reset();
  lookup.waiters.wake_all();
  const auto found = in_flight_.find(lookup.key);
  if (found != in_flight_.end() && found->second.get() == &lookup) in_flight_.erase(found);
}

void AresClient::throw_closed(const char* call) const {
  throw ClosedError(std::string{call} +
                    (is_closed_ && !is_left_to_parent_
                         ? ": the resolver was destroyed meanwhile"
                         : ": the process that this one was forked from has asked; ask again"));
}

// ---- Driving ------------------------------------------------------------------------------------

void AresClient::wait_for_news(lowlevel::CurrentTask self, Lookup& lookup, const char* call) {
  if (is_driven_) {
    lookup.waiters.wait(self, answer_kind, call);
    return;
  }
  struct Driving {
    explicit Driving(bool& is_driven) noexcept : flag(is_driven) { flag = true; }
    ~Driving() { flag = false; }
    bool& flag;
  };
  const Driving driving{is_driven_};
  sockets_.wait(self, call);
  // In the child of a fork the answer is not for this task, but for what it was in the parent.
  if (!sockets_.is_of_this_process()) throw_closed(call);
  process();
}

void AresClient::process() noexcept {
  sockets_.visit_ready([this](int fd, bool readable, bool writable) {
    ares_process_fd(channel_, readable ? fd : ARES_SOCKET_BAD, writable ? fd : ARES_SOCKET_BAD);
  });
  ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // what has taken too long
  set_timer();
}

void AresClient::set_timer() noexcept {
  timeval room{};
  const timeval* const left = ares_timeout(channel_, nullptr, &room);
  sockets_.set_timer(left == nullptr ? Duration::max()
                                     : Duration{std::chrono::seconds{left->tv_sec} +
                                                std::chrono::microseconds{left->tv_usec}});
}

void AresClient::hand_on() noexcept {
  for (const auto& [key, lookup] : in_flight_) {
    if (lookup->waiters.wake_one()) return;
  }
}

void AresClient::give_up() noexcept {
  if (in_flight_.empty() || is_left_to_parent_) return;
  ares_cancel(channel_);
  set_timer();
}

// ---- What others see of it ----------------------------------------------------------------------

bool have_dns_client() noexcept { return true; }

std::shared_ptr<DnsClient> make_dns_client(const ResolverOptions& options, const char* call) {
  return std::make_shared<AresClient>(options, call);
}

}  // namespace asyncio::detail
