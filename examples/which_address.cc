// Which address of a host a connection got, and why: every attempt, and what became of it.
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>

using namespace std::chrono_literals;

namespace {

asyncio::Endpoint at(const char* address, std::uint16_t port) {
  return {asyncio::IpAddress::parse(address), port};
}

void show(const std::vector<asyncio::Attempt>& attempts) {
  for (const asyncio::Attempt& attempt : attempts) {
    std::cout << "  " << attempt.to.address().to_string() << ": "
              << (attempt.code ? attempt.code.message() : "connected") << '\n';
  }
}

// So that the example needs no name server, it has a hosts file of its own.
class HostsFile {
 public:
  explicit HostsFile(const char* text) { std::ofstream{path_} << text; }
  ~HostsFile() { std::filesystem::remove(path_); }
  HostsFile(const HostsFile&) = delete;
  HostsFile& operator=(const HostsFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_ =
      std::filesystem::temp_directory_path() / ("which_address." + std::to_string(::getpid()));
};

void connect_to(const char* host, std::uint16_t port, asyncio::Resolver& resolver) {
  std::cout << host << '\n';
  std::vector<asyncio::Attempt> attempts;
  asyncio::ConnectOptions options;
  options.attempts = &attempts;
  options.resolver = &resolver;
  try {
    // Each address is tried when the one before has failed, or has been silent for 250 ms.
    asyncio::timeout(10s, [&] { asyncio::TcpStream::connect(host, port, options); });
    show(attempts);
  } catch (const asyncio::ConnectError& error) {
    show({error.attempts().begin(), error.attempts().end()});
  } catch (const asyncio::ResolveError& error) {
    std::cout << "  " << error.what() << '\n';
  }
}

}  // namespace

int main() {
  const HostsFile hosts(
      "127.0.0.3 web.example\n"
      "127.0.0.2 web.example down.example\n"
      "127.0.0.1 web.example\n");
  asyncio::run([&] {
    // One address is served.  At another one the queue of connections is full, so it is silent as a
    // host behind a firewall is.  Nobody listens at the third.
    auto listener = asyncio::TcpListener::bind(at("127.0.0.1", 0));
    const std::uint16_t port = listener.local().port();
    auto full = asyncio::TcpListener::bind(at("127.0.0.3", port), {.backlog = 1});
    auto first = asyncio::TcpStream::connect(at("127.0.0.3", port));
    auto second = asyncio::TcpStream::connect(at("127.0.0.3", port));

    asyncio::ResolverOptions how;
    how.hosts = hosts.path();
    how.nsswitch_conf = "/dev/null";  // whatever the system does
    asyncio::Resolver resolver(how);
    connect_to("web.example", port, resolver);
    connect_to("down.example", port, resolver);
    connect_to("no such name", port, resolver);
  });
}
