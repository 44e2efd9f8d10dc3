// Where one can connect to, or be connected to.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include <asyncio/io/export.h>
#include <asyncio/io/ip_address.h>

namespace asyncio {

/// An address and a port, or a name among the Unix sockets of the machine.  A value.
class ASYNCIO_IO_API Endpoint {
 public:
  enum class Kind : std::uint8_t {
    ip,         ///< address() and port()
    any,        ///< every address of both families, to listen on; port()
    unix_path,  ///< name() is a path
    abstract,   ///< name() is in the abstract namespace, which has no files
    unnamed,    ///< of a Unix socket that is not bound
  };

  Endpoint(const IpAddress& address, std::uint16_t port) noexcept
      : kind_(Kind::ip), address_(address), port_(port) {}

  /// Every address of this machine, in both families, by one socket.  Port 0: one that is free.
  static Endpoint any(std::uint16_t port) noexcept;
  /// A socket in the file system.
  /// Throws: std::invalid_argument if `path` is empty, longer than 107 bytes or has a NUL.
  static Endpoint unix_path(std::string_view path);
  /// A socket that goes with its last user.  `name` may hold any bytes.
  /// Throws: std::invalid_argument if it is empty or longer than 107 bytes.
  static Endpoint abstract(std::string_view name);
  /// What a Unix socket without a name has.
  static Endpoint unnamed() noexcept;

  /// Reads what to_string() writes: `192.0.2.1:80`, `[2001:db8::1]:80`, `*:80` for any(80),
  /// `unix:/run/x` and `unix:@name`.
  /// Throws: std::invalid_argument.
  static Endpoint parse(std::string_view text);

  Kind kind() const noexcept { return kind_; }
  /// Is it an address and a port?  any() counts.
  bool is_ip() const noexcept { return kind_ == Kind::ip || kind_ == Kind::any; }
  bool is_unix() const noexcept { return !is_ip(); }

  /// Requires: is_ip().
  const IpAddress& address() const noexcept { return address_; }
  std::uint16_t port() const noexcept { return port_; }
  /// Of a Unix socket.
  const std::string& name() const noexcept { return name_; }

  std::string to_string() const;

  friend auto operator<=>(const Endpoint&, const Endpoint&) noexcept = default;

 private:
  Endpoint(Kind kind, std::string_view name)
      : kind_(kind), address_(IpAddress::any_v6()), name_(name) {}

  Kind kind_;
  IpAddress address_;
  std::uint16_t port_ = 0;
  std::string name_;
};

}  // namespace asyncio
