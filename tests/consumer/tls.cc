// Uses the library asyncio-tls as a stranger would: what cannot be trusted is refused, on every
// backend.
#include <iostream>
#include <utility>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tls/all.h>

namespace {

/// An error of the library's is caught by its type, wherever the library lies.
bool refuses() {
  auto listener = asyncio::TcpListener::bind({asyncio::IpAddress::loopback_v4(), 0});
  auto client = asyncio::create_task([to = listener.local()] {
    asyncio::TlsClientOptions options;
    options.verify = false;
    asyncio::TlsStream::connect(asyncio::TcpStream::connect(to), "example.org",
                                asyncio::TlsContext::client(options));
  });
  listener.accept().write_all("this is no TLS\n");
  try {
    asyncio::await(client);
  } catch (const asyncio::TlsError&) {
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
    const bool works = asyncio::run(&refuses, options);
    std::cout << name << ": " << (works ? "works" : "fails") << '\n';
    if (!works) return 1;
  }
  return names.empty() ? 1 : 0;
}
