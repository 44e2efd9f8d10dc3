// What tests of names have in common: files of the system that are the test's own.
#pragma once

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tests/io/name_server.h>
#include <asyncio/tests/io/temporary_folder.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {

class NamesTest : public LoopTest {
 protected:
  using Kind = ResolverOptions::Kind;
  using Why = ResolveError::Why;

  void write(const std::string& file, std::string_view text) const {
    std::ofstream{folder.file(file)} << text;
  }

  /// No file says anything, and no domain is searched.
  ResolverOptions options_with(std::vector<Endpoint> servers) const {
    ResolverOptions how;
    how.servers = std::move(servers);
    how.search = {"."};
    how.hosts = folder.file("hosts");
    how.resolv_conf = folder.file("resolv.conf");
    how.nsswitch_conf = folder.file("nsswitch.conf");
    return how;
  }
  ResolverOptions options_with(const NameServer& server) const {
    return options_with(std::vector{server.at()});
  }

  /// Why `lookup` throws a ResolveError.
  template <class F>
  static Why why_not(F&& lookup) {
    try {
      lookup();
    } catch (const ResolveError& error) {
      return error.why();
    }
    ADD_FAILURE() << "must throw";
    return {};
  }

  TemporaryFolder folder;
};

inline std::vector<std::string> as_text(const std::vector<IpAddress>& addresses) {
  std::vector<std::string> texts;
  for (const IpAddress& one : addresses) texts.push_back(one.to_string());
  return texts;
}

using Texts = std::vector<std::string>;

}  // namespace asyncio::test
