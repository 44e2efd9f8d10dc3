// Fetches a page over TLS, by hand.
//
//   https_get HOST ADDRESS PORT PATH [ROOTS]       such as: example.org 93.184.215.14 443 /
//
// HOST is whom the certificate must be for, and ADDRESS is where to connect to.  ROOTS is a file
// with the certificates of those to trust; without it, the system's are.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tls/all.h>

namespace {

using namespace std::chrono_literals;

asyncio::TlsContext trusting(const std::string& roots_file) {
  if (roots_file.empty()) return asyncio::TlsContext::system();
  std::ifstream file(roots_file);
  asyncio::TlsClientOptions options;
  options.roots.assign(std::istreambuf_iterator<char>(file), {});
  options.alpn = {"http/1.1"};
  return asyncio::TlsContext::client(options);
}

std::string fetch(const std::string& host, const asyncio::Endpoint& at, const std::string& path,
                  const asyncio::TlsContext& context) {
  auto stream = asyncio::TlsStream::connect(asyncio::TcpStream::connect(at), host, context);
  stream.write_all("GET " + path + " HTTP/1.0\r\nHost: " + host + "\r\n\r\n");
  asyncio::BufferedReader reader(stream);
  // Its end is announced; were the connection cut off, this would throw TlsTruncatedError.
  std::string page = reader.read_all(1 << 20);
  stream.close();
  return page;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 5) {
    std::fputs("usage: https_get HOST ADDRESS PORT PATH [ROOTS]\n", stderr);
    return 2;
  }
  const std::string host = argv[1];
  const asyncio::Endpoint at(asyncio::IpAddress::parse(argv[2]),
                             static_cast<std::uint16_t>(std::stoi(argv[3])));
  asyncio::run([&] {
    const asyncio::TlsContext context = trusting(argc > 5 ? argv[5] : "");
    const std::string page =
        asyncio::timeout(30s, [&] { return fetch(host, at, argv[4], context); });
    std::cout << page;
  });
} catch (const std::exception& error) {
  std::fprintf(stderr, "https_get: %s\n", error.what());
  return 1;
}
