#include <asyncio/io/internal/names/host_name.h>

#include <algorithm>

#include <asyncio/io/errors.h>

namespace asyncio::detail {
namespace {

constexpr std::size_t longest_name = 253;
constexpr std::size_t longest_label = 63;
// What URLs and name servers give a meaning to.
constexpr std::string_view never_in_names = R"("#%/:<>?@[\]^|)";

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Would others take it for a number?  No domain at the top is one.
bool is_number(std::string_view label) noexcept {
  if (std::ranges::all_of(label, is_digit)) return true;
  return label.size() >= 2 && label[0] == '0' && lower(label[1]) == 'x';
}

/// What is wrong with the characters of `name`, or null.
const char* fault_in_characters(std::string_view name) noexcept {
  for (const char c : name) {
    if (static_cast<unsigned char>(c) >= 0x80) {
      return "it is not ASCII; give it in the form that begins with xn--";
    }
    if (c <= ' ' || c == 0x7f) return "no name has a space or a control character";
    if (never_in_names.find(c) != never_in_names.npos) {
      return "a name has letters, digits, - and _ between its dots; an IPv6 address has no "
             "brackets here, and a port is told apart";
    }
  }
  return nullptr;
}

/// What is wrong with `name`, which has no dot at its end, or null.
const char* fault_of(std::string_view name) noexcept {
  if (name.empty()) return "it is empty";
  if (name.size() > longest_name) return "it has more than 253 bytes";
  if (const char* const fault = fault_in_characters(name)) return fault;
  std::string_view label;
  for (std::string_view rest = name;;) {
    const std::size_t dot = rest.find('.');
    label = rest.substr(0, dot);
    if (label.empty()) return "there is nothing between two dots, or before the first";
    if (label.size() > longest_label) return "a part between two dots has more than 63 bytes";
    if (dot == rest.npos) break;
    rest.remove_prefix(dot + 1);
  }
  if (is_number(label)) {
    return "a name that ends in a number is an IPv4 address, which is four numbers from 0 to 255 "
           "without leading zeros";
  }
  return nullptr;
}

}  // namespace

HostName::HostName(std::string_view host, const char* call) : is_absolute_(host.ends_with('.')) {
  const std::string_view name = is_absolute_ ? host.substr(0, host.size() - 1) : host;
  if (const char* const fault = fault_of(name)) {
    throw ResolveError(call_of_host(call, host) + ": " + fault, ResolveError::Why::invalid_name);
  }
  text_ = name;
  key_.resize(text_.size());
  std::ranges::transform(text_, key_.begin(), lower);
}

std::size_t HostName::dots() const noexcept {
  return static_cast<std::size_t>(std::ranges::count(text_, '.'));
}

bool HostName::is_within(std::string_view domain) const noexcept {
  const std::string_view key = key_;
  if (!key.ends_with(domain)) return false;
  return key.size() == domain.size() || key[key.size() - domain.size() - 1] == '.';
}

std::string call_of_host(const char* call, std::string_view host) {
  constexpr std::string_view hex = "0123456789abcdef";
  std::string text = std::string{call} + "(\"";
  for (const char c : host.substr(0, longest_name)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= ' ' && byte < 0x7f) {
      text += c;
    } else {
      text += "\\x";
      text += hex[byte >> 4];
      text += hex[byte & 15];
    }
  }
  return text + (host.size() > longest_name ? "...\")" : "\")");
}

}  // namespace asyncio::detail
