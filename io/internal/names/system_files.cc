#include <asyncio/io/internal/names/system_files.h>

#include <algorithm>
#include <array>
#include <optional>

#include <unistd.h>

namespace asyncio::detail {
namespace {

constexpr std::string_view blanks = " \t\r\f\v";

/// Calls `visit` with each line, without a comment at its end.
template <class Visit>
void for_each_line(std::string_view text, Visit&& visit) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    visit(line.substr(0, line.find('#')));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

/// Takes the next word off `line`; empty at its end.
std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(blanks));
  line.remove_prefix(word.size());
  return word;
}

/// Takes the next item off the line `hosts:`, which is a source or, in brackets, what to do next.
std::string_view next_item(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
  if (!line.starts_with('[')) {
    const std::string_view word = line.substr(0, line.find_first_of(" \t\r\f\v["));
    line.remove_prefix(word.size());
    return word;
  }
  const std::size_t end = line.find(']');
  const std::string_view item = line.substr(0, end == line.npos ? line.size() : end + 1);
  line.remove_prefix(item.size());
  return item;
}

/// The rest of the line that begins with `hosts:`.
std::optional<std::string_view> hosts_line(std::string_view nsswitch_conf) {
  constexpr std::string_view key = "hosts:";
  std::optional<std::string_view> found;
  for_each_line(nsswitch_conf, [&](std::string_view line) {
    line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
    if (!found && line.starts_with(key)) found = line.substr(key.size());
  });
  return found;
}

std::string lower_case(std::string_view text) {
  std::string lower{text};
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string own_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return {};
  return lower_case(name.data());
}

}  // namespace

HostsTable read_hosts(std::string_view text) {
  HostsTable table;
  for_each_line(text, [&](std::string_view line) {
    const std::optional<IpAddress> address = IpAddress::try_parse(next_word(line));
    if (!address) return;
    for (std::string_view name = next_word(line); !name.empty(); name = next_word(line)) {
      if (name.ends_with('.')) name.remove_suffix(1);
      std::vector<IpAddress>& addresses = table[lower_case(name)];
      if (std::ranges::find(addresses, *address) == addresses.end()) addresses.push_back(*address);
    }
  });
  return table;
}

HostSources::HostSources(std::string_view nsswitch_conf) {
  const std::optional<std::string_view> line = hosts_line(nsswitch_conf);
  if (!line) return;
  bool has_files = false;
  bool has_dns = false;  // by the system's own client or a daemon's
  bool has_own_dns = false;
  std::string_view rest = *line;
  std::string_view before;
  for (std::string_view item = next_item(rest); !item.empty(); item = next_item(rest)) {
    if (item == "files") {
      are_known_ &= !has_own_dns;
      has_files = true;
    } else if (item == "resolve") {
      // The daemon behind it reads the hosts file too, and is a name server otherwise.
      has_files = has_dns = true;
    } else if (item == "dns") {
      are_known_ &= has_files;
      has_dns = has_own_dns = true;
    } else if (item == "myhostname") {
      know_this_host_ = true;
    } else if (item.starts_with('[')) {
      // Only after a source that has nothing to say about most names, or that says it all.
      are_known_ &= before.starts_with("mdns") || before == "resolve";
    } else {
      // These find names below .local alone.
      are_known_ &= item.starts_with("mdns") && item.ends_with("_minimal");
    }
    before = item;
  }
  are_known_ &= has_files && has_dns;
}

bool HostSources::are_hosts_and_dns_for(const HostName& name) const {
  if (!are_known_ || name.is_within("local")) return false;
  if (!know_this_host_) return true;
  return name.key() != own_name() && name.key() != "_gateway" && name.key() != "_outbound";
}

}  // namespace asyncio::detail
