// The echo servers that are compared.  Each serves a listening socket until its process is ended.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "../support/rows.h"

namespace bench {

struct EchoServer {
  std::string contender;
  std::function<void(int listener)> serve;
  int descriptor_limit;  ///< of its process
};

/// A static object of this type adds servers.
class EchoServers {
 public:
  using Fill = void (*)(std::vector<EchoServer>&);
  explicit EchoServers(Fill fill) { fills().push_back(fill); }

  static std::vector<EchoServer> all() {
    std::vector<EchoServer> servers;
    for (const Fill fill : fills()) fill(servers);
    return servers;
  }

 private:
  static std::vector<Fill>& fills() {
    static std::vector<Fill> list;
    return list;
  }
};

}  // namespace bench
