// A client of HTTP that blocks: for a thread beside the one under test.
#pragma once

#include <cstdint>
#include <string>

namespace asyncio::test {

/// One connection to a port of this machine, which is kept.
class HttpClient {
 public:
  explicit HttpClient(std::uint16_t port);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  void ask_for(const std::string& path) const;
  /// The body of the next answer; empty if the server hangs up.
  std::string answer();

 private:
  /// False at the end of what comes.
  bool read_more();

  int fd_;
  std::string received_;
};

}  // namespace asyncio::test
