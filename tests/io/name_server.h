// A name server in the test's own loop: it says what the test wants, when the test wants it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>

namespace asyncio::test {

/// The code of an answer.
enum class Rcode : std::uint8_t { ok = 0, server_failed = 2, no_such_name = 3, refused = 5 };

class NameServer {
 public:
  struct Question {
    std::string name;
    AddressFamily family;
  };
  struct Answer {
    Rcode code = Rcode::ok;
    std::vector<IpAddress> addresses = {};
    std::uint32_t ttl = 60;
  };
  /// Nothing: the question is kept.
  using Script = std::function<std::optional<Answer>(const Question&)>;

  /// Serves until it goes, in a task.  Requires: it runs in one.
  explicit NameServer(Script script, const Endpoint& at = {IpAddress::loopback_v4(), 0});

  Endpoint at() const { return socket_.local(); }
  /// What it was asked, as "AAAA name", sorted.
  std::vector<std::string> asked() const;
  /// Answers what it has kept; from now on it says this.
  void answer_kept(Script script);

 private:
  struct Kept {
    std::string packet;
    Endpoint from;
  };

  void serve();
  /// Returns false if the question is kept.
  bool answer(const Kept& kept);

  Script script_;
  UdpSocket socket_;
  std::vector<std::string> asked_;
  std::vector<Kept> kept_;
  TaskGroup tasks_;
};

/// Of every name the same addresses, of the family that is asked for.
NameServer::Script always(std::vector<std::string_view> addresses);
/// Nothing at all.
NameServer::Script silence();

}  // namespace asyncio::test
