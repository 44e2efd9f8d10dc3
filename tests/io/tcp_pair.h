// Two ends of a TCP connection over the loopback.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <utility>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>

namespace asyncio::test {

inline Endpoint loopback(std::uint16_t port = 0) { return {IpAddress::loopback_v4(), port}; }

struct TcpPair {
  TcpStream client;
  TcpStream server;
};

/// Connects one.
inline TcpPair make_tcp_pair() {
  TcpListener listener = TcpListener::bind(loopback());
  auto client = create_task([to = listener.local()] { return TcpStream::connect(to); });
  TcpStream server = listener.accept();
  return {await(std::move(client)), std::move(server)};
}

/// Reads until the end of the stream.
inline std::string read_to_end(Stream& from) {
  std::string all;
  std::array<std::byte, 65536> buffer;
  while (const std::size_t got = from.read_some(buffer)) {
    all += text(std::span{buffer}.first(got));
  }
  return all;
}

/// Reads exactly so much, or fails to.
inline std::string read_exactly(Stream& from, std::size_t size) {
  std::string all(size, '\0');
  const std::span<std::byte> rest = std::as_writable_bytes(std::span{all});
  for (std::size_t done = 0; done < size;) {
    const std::size_t got = from.read_some(rest.subspan(done));
    if (got == 0) return all.substr(0, done);
    done += got;
  }
  return all;
}

/// Text in which every place is told from its neighbours.
inline std::string pattern(std::size_t size) {
  std::string all(size, '\0');
  for (std::size_t i = 0; i < size; ++i) all[i] = static_cast<char>((i * 2654435761u) >> 13);
  return all;
}

}  // namespace asyncio::test
