// Uses the library asyncio-io as a stranger would: a greeting over the loopback, on every backend.
#include <iostream>
#include <utility>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>

namespace {

bool greets() {
  auto listener = asyncio::TcpListener::bind({asyncio::IpAddress::loopback_v4(), 0});
  auto client = asyncio::create_task(
      [to = listener.local()] { asyncio::TcpStream::connect(to).write_all("hello"); });
  asyncio::TcpStream server = listener.accept();
  asyncio::await(client);
  std::byte greeting[16];
  return server.read_some(greeting) == 5;
}

/// What looks names up is linked too.
bool knows_this_machine() {
  for (const asyncio::IpAddress& address : asyncio::resolve("localhost")) {
    if (!address.is_loopback()) return false;
  }
  return true;
}

/// An error of the library's is caught by its type, wherever the library lies.
bool refuses() {
  try {
    asyncio::TcpStream::adopt(-1);
  } catch (const asyncio::IoError&) {
    return true;
  }
  return false;
}

}  // namespace

int main() {
  const auto names = asyncio::available_backends();
  for (const auto& name : names) {
    asyncio::RunOptions options;
    options.backend = name;
    const bool works =
        asyncio::run([] { return greets() && knows_this_machine() && refuses(); }, options);
    std::cout << name << ": " << (works ? "works" : "fails") << '\n';
    if (!works) return 1;
  }
  return names.empty() ? 1 : 0;
}
