#include <asyncio/tests/foreign/http_client.h>

#include <cstddef>
#include <stdexcept>
#include <string_view>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace asyncio::test {

HttpClient::HttpClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(fd_);
    throw std::runtime_error("cannot connect to port " + std::to_string(port));
  }
}

HttpClient::~HttpClient() { ::close(fd_); }

void HttpClient::ask_for(const std::string& path) const {
  const std::string request = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  static_cast<void>(::send(fd_, request.data(), request.size(), MSG_NOSIGNAL));
}

std::string HttpClient::answer() {
  constexpr std::string_view length_field = "Content-Length: ";
  constexpr std::string_view end_of_head = "\r\n\r\n";
  std::size_t head = 0;
  while ((head = received_.find(end_of_head)) == std::string::npos) {
    if (!read_more()) return {};
  }
  const std::size_t field = received_.find(length_field);
  if (field >= head) return {};
  const std::size_t length = std::stoul(received_.substr(field + length_field.size()));
  const std::size_t begin = head + end_of_head.size();
  while (received_.size() < begin + length) {
    if (!read_more()) return {};
  }
  std::string body = received_.substr(begin, length);
  received_.erase(0, begin + length);
  return body;
}

bool HttpClient::read_more() {
  char buffer[4096];
  const ssize_t got = ::recv(fd_, buffer, sizeof buffer, 0);
  if (got <= 0) return false;
  received_.append(buffer, static_cast<std::size_t>(got));
  return true;
}

}  // namespace asyncio::test
