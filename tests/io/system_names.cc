// As system_calls.cc: a definition of the program's own comes before that of the C library.
#include <asyncio/tests/io/system_names.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>

#include <dlfcn.h>
#include <netdb.h>

#include <asyncio/io/internal/sockaddr.h>

namespace asyncio::test {
namespace {

struct ToldNames {
  std::mutex mutex;
  std::condition_variable changed;
  bool is_alive = false;
  bool hangs = false;
  int under_way = 0;
  std::map<std::string, std::vector<IpAddress>, std::less<>> known;
  std::vector<std::string> asked;
};

ToldNames& told() {
  static ToldNames all;
  return all;
}

/// As the C library makes it: freeaddrinfo frees each node as one block.
addrinfo* node_of(const IpAddress& address, addrinfo* next) {
  const detail::SocketAddress native{Endpoint{address, 0}};
  void* const block = std::malloc(sizeof(addrinfo) + sizeof(sockaddr_storage));
  if (block == nullptr) throw std::bad_alloc{};
  auto* const node = new (block) addrinfo{};
  node->ai_family = native.get()->sa_family;
  node->ai_socktype = SOCK_STREAM;
  node->ai_addrlen = native.size;
  node->ai_addr = reinterpret_cast<sockaddr*>(node + 1);
  std::memcpy(node->ai_addr, &native.storage, native.size);
  node->ai_next = next;
  return node;
}

int answer_to(std::string_view name, int family, addrinfo** result) {
  ToldNames& all = told();
  std::unique_lock lock{all.mutex};
  all.asked.emplace_back(name);
  ++all.under_way;
  all.changed.notify_all();
  all.changed.wait(lock, [&] { return !all.hangs; });
  --all.under_way;
  all.changed.notify_all();
  const auto found = all.known.find(name);
  if (found == all.known.end()) return EAI_NONAME;
  addrinfo* list = nullptr;
  for (auto one = found->second.rbegin(); one != found->second.rend(); ++one) {
    if (family == AF_UNSPEC || (family == AF_INET6) == one->is_v6()) list = node_of(*one, list);
  }
  *result = list;
  return list == nullptr ? EAI_NONAME : 0;
}

}  // namespace

SystemNames::SystemNames() {
  const std::scoped_lock lock{told().mutex};
  told().is_alive = true;
  told().known.clear();
  told().asked.clear();
}

SystemNames::~SystemNames() {
  go_on();
  ToldNames& all = told();
  std::unique_lock lock{all.mutex};
  all.changed.wait(lock, [&] { return all.under_way == 0; });
  all.is_alive = false;
}

void SystemNames::add(std::string_view name, std::vector<std::string_view> addresses) {
  const std::scoped_lock lock{told().mutex};
  for (const std::string_view one : addresses) {
    told().known[std::string{name}].push_back(IpAddress::parse(one));
  }
}

void SystemNames::hang() {
  const std::scoped_lock lock{told().mutex};
  told().hangs = true;
}

void SystemNames::go_on() {
  const std::scoped_lock lock{told().mutex};
  told().hangs = false;
  told().changed.notify_all();
}

void SystemNames::wait_until_hanging(int calls) {
  ToldNames& all = told();
  std::unique_lock lock{all.mutex};
  all.changed.wait(lock, [&] { return all.under_way == calls; });
}

std::vector<std::string> SystemNames::asked() const {
  const std::scoped_lock lock{told().mutex};
  std::vector<std::string> sorted = told().asked;
  std::ranges::sort(sorted);
  return sorted;
}

}  // namespace asyncio::test

extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* hints,
                           addrinfo** result) {
  using asyncio::test::told;
  const bool is_told = [] {
    const std::scoped_lock lock{told().mutex};
    return told().is_alive;
  }();
  if (is_told) return asyncio::test::answer_to(name, hints->ai_family, result);
  static const auto real =
      reinterpret_cast<decltype(&::getaddrinfo)>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  return real(name, service, hints, result);
}
