// An address of the Internet Protocol, without a port.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <asyncio/io/export.h>

namespace asyncio {

/// IPv4 or IPv6.  A value: cheap to copy, ordered, v4 before v6.
class ASYNCIO_IO_API IpAddress {
 public:
  using V4 = std::array<std::uint8_t, 4>;
  using V6 = std::array<std::uint8_t, 16>;

  /// In network order, as it is written.
  explicit IpAddress(const V4& bytes) noexcept;
  /// `scope` is the number of the interface on which a link-local address is meant; 0: none.
  explicit IpAddress(const V6& bytes, std::uint32_t scope = 0) noexcept;

  static IpAddress loopback_v4() noexcept { return IpAddress{V4{127, 0, 0, 1}}; }
  static IpAddress loopback_v6() noexcept;
  /// To bind to every address of the family.
  static IpAddress any_v4() noexcept { return IpAddress{V4{}}; }
  static IpAddress any_v6() noexcept { return IpAddress{V6{}}; }

  /// Reads a literal: four decimal numbers without leading zeros, or IPv6 without brackets, which
  /// may end in `%` and the name or number of an interface.  Nothing else may be around it.
  /// Throws: std::invalid_argument.
  static IpAddress parse(std::string_view literal);
  /// As parse(), for text that may be a name: nothing if it is no literal.
  static std::optional<IpAddress> try_parse(std::string_view literal);

  bool is_v4() const noexcept { return !is_v6_; }
  bool is_v6() const noexcept { return is_v6_; }
  bool is_loopback() const noexcept;
  /// Is it the one that stands for every address?
  bool is_any() const noexcept;
  bool is_link_local() const noexcept;
  bool is_multicast() const noexcept;

  /// Requires: is_v4().
  V4 v4() const noexcept { return {bytes_[0], bytes_[1], bytes_[2], bytes_[3]}; }
  /// Of an IPv4 address: the one that stands for it in IPv6, ::ffff:a.b.c.d.
  V6 v6() const noexcept;
  std::uint32_t scope() const noexcept { return scope_; }

  /// What parse() reads.
  std::string to_string() const;

  friend auto operator<=>(const IpAddress&, const IpAddress&) noexcept = default;

 private:
  bool is_v6_;
  V6 bytes_{};
  std::uint32_t scope_ = 0;
};

}  // namespace asyncio
