#include <asyncio/tests/io/name_server.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace asyncio::test {
namespace {

constexpr std::size_t dns_header = 12;
constexpr std::uint16_t type_a = 1;
constexpr std::uint16_t type_aaaa = 28;

void put16(std::string& packet, std::size_t value) {
  packet += static_cast<char>(value >> 8);
  packet += static_cast<char>(value & 0xff);
}

/// The name, and where it ends.
std::pair<std::string, std::size_t> read_name(std::string_view packet) {
  std::string name;
  std::size_t at = dns_header;
  while (const auto length = static_cast<std::uint8_t>(packet.at(at))) {
    if (!name.empty()) name += '.';
    name += packet.substr(at + 1, length);
    at += 1u + length;
  }
  return {name, at + 1};
}

}  // namespace

NameServer::NameServer(Script script, const Endpoint& at)
    : script_(std::move(script)), socket_(UdpSocket::bind(at)) {
  tasks_.spawn([this] { serve(); }, {.name = "name server", .background = true});
}

std::vector<std::string> NameServer::asked() const {
  std::vector<std::string> sorted = asked_;
  std::ranges::sort(sorted);
  return sorted;
}

void NameServer::answer_kept(Script script) {
  script_ = std::move(script);
  for (const Kept& kept : std::exchange(kept_, {})) {
    if (!answer(kept)) kept_.push_back(kept);
  }
}

void NameServer::serve() {
  std::array<std::byte, 512> buffer;
  for (;;) {
    const Received got = socket_.receive(buffer);
    const Kept question{std::string{text(std::span{buffer}.first(got.size))}, got.from};
    const auto [name, end] = read_name(question.packet);
    asked_.push_back((question.packet.at(end + 1) == type_aaaa ? "AAAA " : "A ") + name);
    if (!answer(question)) kept_.push_back(question);
  }
}

bool NameServer::answer(const Kept& kept) {
  const auto [name, end] = read_name(kept.packet);
  const bool is_v6 = kept.packet.at(end + 1) == type_aaaa;
  const auto said = script_({name, is_v6 ? AddressFamily::v6 : AddressFamily::v4});
  if (!said) return false;
  std::string packet = kept.packet.substr(0, 2);
  packet += '\x81';  // an answer; recursion was asked for
  packet += static_cast<char>(0x80 | static_cast<int>(said->code));
  put16(packet, 1);
  put16(packet, said->addresses.size());
  put16(packet, 0);
  put16(packet, 0);
  packet += kept.packet.substr(dns_header, end + 4 - dns_header);
  for (const IpAddress& address : said->addresses) {
    put16(packet, 0xc000 | dns_header);  // the name that was asked for
    put16(packet, is_v6 ? type_aaaa : type_a);
    put16(packet, 1);
    put16(packet, said->ttl >> 16);
    put16(packet, said->ttl & 0xffff);
    const auto write = [&](const auto& bytes) {
      put16(packet, bytes.size());
      packet.append(bytes.begin(), bytes.end());
    };
    is_v6 ? write(address.v6()) : write(address.v4());
  }
  socket_.send_to(bytes(packet), kept.from);
  return true;
}

NameServer::Script always(std::vector<std::string_view> addresses) {
  std::vector<IpAddress> all;
  for (const std::string_view one : addresses) all.push_back(IpAddress::parse(one));
  return [all](const NameServer::Question& question) {
    NameServer::Answer answer;
    for (const IpAddress& one : all) {
      if (one.is_v6() == (question.family == AddressFamily::v6)) answer.addresses.push_back(one);
    }
    return std::optional{answer};
  };
}

NameServer::Script silence() {
  return [](const NameServer::Question&) { return std::nullopt; };
}

}  // namespace asyncio::test
