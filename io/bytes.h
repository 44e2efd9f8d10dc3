// Bytes as streams take them, and text as bytes.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace asyncio {

/// Bytes that somebody else owns.
using ConstBytes = std::span<const std::byte>;

/// The bytes of `text`, which must outlive them.  A literal's final NUL is not among them.
inline ConstBytes bytes(std::string_view text) noexcept {
  return std::as_bytes(std::span{text.data(), text.size()});
}

/// `bytes`, which must outlive it, as text of no particular encoding.
inline std::string_view text(ConstBytes bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace asyncio
