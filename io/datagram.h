// Datagrams, of whatever family.
#pragma once

#include <cstddef>
#include <span>

#include <asyncio/io/endpoint.h>

namespace asyncio {

/// What one datagram was.
struct Received {
  std::size_t size = 0;  ///< bytes that are in the buffer; a datagram may have none
  Endpoint from = Endpoint::unnamed();
  bool truncated = false;  ///< it was larger than the buffer, and the rest is lost
};

/// Where one of several datagrams goes, and what it was.
struct DatagramSlot {
  std::span<std::byte> into;
  Received received = {};
};

}  // namespace asyncio
