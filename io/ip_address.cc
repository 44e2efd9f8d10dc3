#include <asyncio/io/ip_address.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <stdexcept>

#include <arpa/inet.h>
#include <net/if.h>

namespace asyncio {
namespace {

constexpr std::uint8_t v4_in_v6[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/// inet_pton, which is strict, on text that need not end with NUL.
template <class Bytes>
bool read(int family, std::string_view literal, Bytes& bytes) {
  char text[INET6_ADDRSTRLEN];
  if (literal.size() >= sizeof text || literal.find('\0') != literal.npos) return false;
  *std::copy(literal.begin(), literal.end(), text) = '\0';
  return ::inet_pton(family, text, bytes.data()) == 1;
}

/// The number of an interface by its name or number; 0 if there is none.
std::uint32_t read_scope(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size()) return number;
  if (text.size() >= IF_NAMESIZE || text.find('\0') != text.npos) return 0;
  return ::if_nametoindex(std::string{text}.c_str());
}

}  // namespace

IpAddress::IpAddress(const V4& bytes) noexcept : is_v6_(false) {
  std::copy(bytes.begin(), bytes.end(), bytes_.begin());
}

IpAddress::IpAddress(const V6& bytes, std::uint32_t scope) noexcept
    : is_v6_(true), bytes_(bytes), scope_(scope) {}

IpAddress IpAddress::loopback_v6() noexcept {
  V6 bytes{};
  bytes.back() = 1;
  return IpAddress{bytes};
}

std::optional<IpAddress> IpAddress::try_parse(std::string_view literal) {
  if (V4 v4{}; read(AF_INET, literal, v4)) return IpAddress{v4};
  const std::size_t percent = literal.find('%');
  V6 v6{};
  if (!read(AF_INET6, literal.substr(0, percent), v6)) return std::nullopt;
  if (percent == literal.npos) return IpAddress{v6};
  const std::uint32_t scope = read_scope(literal.substr(percent + 1));
  if (scope == 0) return std::nullopt;
  return IpAddress{v6, scope};
}

IpAddress IpAddress::parse(std::string_view literal) {
  if (const std::optional<IpAddress> address = try_parse(literal)) return *address;
  throw std::invalid_argument("IpAddress::parse(\"" + std::string{literal} +
                              "\"): write 192.0.2.1, 2001:db8::1 or fe80::1%eth0, with an "
                              "interface that is there; a name needs resolve()");
}

IpAddress::V6 IpAddress::v6() const noexcept {
  if (is_v6_) return bytes_;
  V6 mapped;
  std::copy(bytes_.begin(), bytes_.begin() + 4,
            std::copy(std::begin(v4_in_v6), std::end(v4_in_v6), mapped.begin()));
  return mapped;
}

bool IpAddress::is_loopback() const noexcept {
  return is_v6_ ? bytes_ == loopback_v6().bytes_ : bytes_[0] == 127;
}

bool IpAddress::is_any() const noexcept { return bytes_ == V6{}; }

bool IpAddress::is_link_local() const noexcept {
  return is_v6_ ? bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80
                : bytes_[0] == 169 && bytes_[1] == 254;
}

bool IpAddress::is_multicast() const noexcept {
  return is_v6_ ? bytes_[0] == 0xff : (bytes_[0] & 0xf0) == 0xe0;
}

std::string IpAddress::to_string() const {
  char literal[INET6_ADDRSTRLEN];
  ::inet_ntop(is_v6_ ? AF_INET6 : AF_INET, bytes_.data(), literal, sizeof literal);
  std::string text = literal;
  if (scope_ == 0) return text;
  char name[IF_NAMESIZE];
  const bool named = ::if_indextoname(scope_, name) != nullptr;
  return text + "%" + (named ? name : std::to_string(scope_));
}

}  // namespace asyncio
