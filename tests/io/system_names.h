// What getaddrinfo says, in a test.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <asyncio/io/all.h>

namespace asyncio::test {

/// While one is alive, getaddrinfo asks nobody: it knows the names that the test has told it.
/// Requires: no call is under way when it goes.
class SystemNames {
 public:
  SystemNames();
  ~SystemNames();
  SystemNames(const SystemNames&) = delete;
  SystemNames& operator=(const SystemNames&) = delete;

  void add(std::string_view name, std::vector<std::string_view> addresses);
  /// Calls hang until go_on().
  void hang();
  void go_on();
  /// Blocks this thread until so many calls hang.
  void wait_until_hanging(int calls);
  /// The names of all calls that have begun, sorted.
  std::vector<std::string> asked() const;
};

}  // namespace asyncio::test
