// resolve and Resolver, as far as nobody is asked; and who is asked.
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/io/internal/names/dns_client.h>
#include <asyncio/tests/io/resolver_fixture.h>
#include <asyncio/tests/io/system_names.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class ResolverTest : public NamesTest {
 protected:
  /// As a system would do it whose name server does not answer.
  ResolverOptions system_options() const {
    ResolverOptions how = options_with(std::vector<Endpoint>{});
    how.kind = Kind::automatic;
    return how;
  }
};

TEST_F(ResolverTest, ALiteralIsItselfAndSuspendsNot) {
  run([] {
    const ExpectNoSuspend never;
    EXPECT_EQ(Texts{"192.0.2.1"}, as_text(resolve("192.0.2.1")));
    EXPECT_EQ(Texts{"2001:db8::1"}, as_text(resolve("2001:DB8:0::1")));
    EXPECT_EQ(Texts{"fe80::1%lo"}, as_text(resolve("fe80::1%lo")));
  });
  EXPECT_THROW(resolve("192.0.2.1"), NotInTaskError);
}

TEST_F(ResolverTest, ALiteralOfTheOtherFamilyIsNoAddress) {
  run([] {
    ResolveOptions how;
    how.family = AddressFamily::v6;
    EXPECT_EQ(Why::no_address, why_not([&] { resolve("192.0.2.1", how); }));
    EXPECT_EQ(Texts{"::1"}, as_text(resolve("::1", how)));
  });
}

TEST_F(ResolverTest, ACancelledTaskIsToldFirst) {
  run([] {
    auto task = create_task([] {
      current_task().cancel();
      resolve("192.0.2.1");
      ADD_FAILURE() << "every call is a checkpoint";
    });
    EXPECT_THROW(await(task), TaskCancelledException);
  });
}

TEST_F(ResolverTest, N23_WhatCannotBeANameIsRefusedAndNobodyAsked) {
  const SystemNames system;
  run([this] {
    NameServer server{always({"192.0.2.1"})};
    ResolverOptions to_system = system_options();
    to_system.kind = Kind::system;
    Resolver by_dns{detail::have_dns_client() ? options_with(server) : system_options()};
    Resolver by_system{to_system};
    const std::string label63(63, 'a');
    const std::string longest = label63 + "." + label63 + "." + label63 + "." + label63.substr(2);
    const std::string_view with_nul{"a\0b.test", 8};
    for (const std::string_view name : {std::string_view{""},
                                        with_nul,
                                        std::string_view{longest + "x"},
                                        std::string_view{"127.0.0.1 x"},
                                        std::string_view{" a.test"},
                                        std::string_view{"a\n"},
                                        std::string_view{"."},
                                        std::string_view{".test"},
                                        std::string_view{"a..test"},
                                        std::string_view{"a.test.."},
                                        std::string_view{label63 + "a.test"},
                                        std::string_view{"b\xc3\xbc"
                                                         "cher.test"},
                                        std::string_view{"0177.0.0.1"},
                                        std::string_view{"127.0.0.01"},
                                        std::string_view{"1.2.3"},
                                        std::string_view{"256.0.0.1"},
                                        std::string_view{"0x7f000001"},
                                        std::string_view{"[::1]"},
                                        std::string_view{"a.test:80"},
                                        std::string_view{"::1%nowhere"},
                                        std::string_view{"a/b"},
                                        std::string_view{"a\\.test"}}) {
      for (Resolver* const resolver : {&by_dns, &by_system}) {
        EXPECT_EQ(Why::invalid_name, why_not([&] { resolver->resolve(name); })) << name;
      }
      ConnectOptions how;
      how.resolver = &by_dns;
      EXPECT_EQ(Why::invalid_name, why_not([&] { TcpStream::connect(name, 80, how); })) << name;
    }
    settle();
    EXPECT_EQ(Texts{}, server.asked());
  });
  EXPECT_EQ(Texts{}, system.asked());
}

TEST_F(ResolverTest, N23_ARefusalShowsTheNameAndSaysWhatIsWrong) {
  run([] {
    const std::string said = message_of<ResolveError>([] { resolve("b\xc3\xbc.test"); });
    EXPECT_TRUE(contains(said, "resolve(\"b\\xc3\\xbc.test\"): it is not ASCII")) << said;
    EXPECT_TRUE(contains(said, "xn--")) << said;
    const std::string of_long =
        message_of<ResolveError>([] { resolve(std::string(100'000, 'x')); });
    EXPECT_GT(400u, of_long.size());
    const std::string of_connect =
        message_of<ResolveError>([] { TcpStream::connect("127.0.0.01", 80); });
    EXPECT_TRUE(contains(of_connect, "TcpStream::connect(\"127.0.0.01\")")) << of_connect;
  });
}

TEST_F(ResolverTest, N31_LocalhostIsTheLoopbackWhateverFilesSay) {
  const SystemNames system;
  run([this] {
    const ResolverOptions how = system_options();
    {
      Resolver resolver{how};
      const ExpectSuspends always;
      EXPECT_EQ((Texts{"::1", "127.0.0.1"}), as_text(resolver.resolve("localhost")));
    }
    write("hosts",
          "192.0.2.9 localhost\n\x01 odd\n127.0.0.1\n999.1.1.1 localhost\n::1 # localhost");
    Resolver odd{how};
    EXPECT_EQ((Texts{"::1", "127.0.0.1"}), as_text(odd.resolve("LocalHost.")));
    EXPECT_EQ((Texts{"::1", "127.0.0.1"}), as_text(odd.resolve("any.localhost")));
    EXPECT_EQ(Texts{"127.0.0.1"}, as_text(odd.resolve("localhost", AddressFamily::v4)));
    write("hosts", "127.0.0.7\tlocalhost\n192.0.2.9 localhost\n");
    Resolver chosen{how};
    EXPECT_EQ(Texts{"127.0.0.7"}, as_text(chosen.resolve("localhost")));
    EXPECT_EQ(Texts{"::1"}, as_text(chosen.resolve("localhost", AddressFamily::v6)));
    ResolverOptions by_system = how;
    by_system.kind = Kind::system;
    Resolver asking{by_system};
    EXPECT_EQ(Texts{"127.0.0.7"}, as_text(asking.resolve("localhost", AddressFamily::v4)));
  });
  EXPECT_EQ(Texts{}, system.asked());
}

TEST_F(ResolverTest, OptionsWithoutSenseAreRefused) {
  run([this] {
    ResolverOptions how;
    how.timeout = 0s;
    EXPECT_THROW(Resolver{how}, std::invalid_argument);
    how = {};
    how.tries = 0;
    EXPECT_THROW(Resolver{how}, std::invalid_argument);
    EXPECT_THROW(Resolver{options_with({Endpoint::unix_path("/run/x")})}, std::invalid_argument);
    how = {};
    how.servers = {{IpAddress::loopback_v4(), 53}};
    how.kind = Kind::system;
    const std::string said = message_of<std::invalid_argument>([&] { Resolver{how}; });
    EXPECT_TRUE(contains(said, "Kind::dns")) << said;
    how = {};
    how.kind = Kind::dns;
    if (!detail::have_dns_client()) {
      EXPECT_THROW(Resolver{how}, std::invalid_argument);
    }
  });
  EXPECT_THROW(Resolver{}, NoRunningLoopError);
}

// ---- The system's own way -----------------------------------------------------------------------

TEST_F(ResolverTest, TheSystemsOrderIsKept) {
  SystemNames system;
  system.add("a.test", {"192.0.2.2", "2001:db8::1", "192.0.2.1"});
  system.add("b.test.", {"192.0.2.3"});
  run([this] {
    ResolverOptions how = system_options();
    how.kind = Kind::system;
    Resolver resolver{how};
    EXPECT_EQ((Texts{"192.0.2.2", "2001:db8::1", "192.0.2.1"}),
              as_text(resolver.resolve("a.test")));
    EXPECT_EQ(Texts{"2001:db8::1"}, as_text(resolver.resolve("a.test", AddressFamily::v6)));
    EXPECT_EQ(Texts{"192.0.2.3"}, as_text(resolver.resolve("b.test.")));
    EXPECT_EQ(Why::no_such_name, why_not([&] { resolver.resolve("none.test"); }));
  });
}

TEST_F(ResolverTest, N33_WhatOnlyTheSystemKnowsItIsAsked) {
  SystemNames system;
  for (const std::string_view name : {"printer.local", "a.test", "_gateway"}) {
    system.add(name, {"192.0.2.1"});
  }
  run([this] {
    write("hosts", "192.0.2.77 a.test printer.local _gateway\n");
    const auto answer = [this](std::string_view nsswitch, std::string_view name) {
      write("nsswitch.conf", nsswitch);
      Resolver resolver{system_options()};
      return as_text(resolver.resolve(name)).front();
    };
    constexpr std::string_view known = "192.0.2.77", by_the_system = "192.0.2.1";
    EXPECT_EQ(known, answer("", "a.test"));
    EXPECT_EQ(known, answer("passwd: winbind\nhosts:\tfiles dns # winbind\n", "a.test"));
    EXPECT_EQ(known, answer("hosts: files mdns4_minimal [NOTFOUND=return] dns", "a.test"));
    EXPECT_EQ(known, answer("hosts: files myhostname dns", "a.test"));
    EXPECT_EQ(by_the_system, answer("hosts: files dns", "printer.local"));
    EXPECT_EQ(by_the_system, answer("hosts: files myhostname dns", "_gateway"));
    for (const std::string_view line :
         {"hosts: files wins dns", "hosts: files", "hosts: dns", "hosts: dns files",
          "hosts: files [SUCCESS=continue] dns", "hosts: files[NOTFOUND=return]dns",
          "hosts:", "hosts: files mdns4 dns", "hosts: files dns [!UNAVAIL=return] nis"}) {
      EXPECT_EQ(by_the_system, answer(line, "a.test")) << line;
    }
  });
}

TEST_F(ResolverTest, N30_ResolvedIsANameServerAsAnyOther) {
  const SystemNames system;
  run([this] {
    write("hosts", "192.0.2.77 a.test\n");
    for (const std::string_view line :
         {"hosts: files resolve", "hosts: files myhostname resolve [!UNAVAIL=return] dns",
          "hosts: resolve [!UNAVAIL=return] files dns"}) {
      write("nsswitch.conf", line);
      Resolver resolver{system_options()};
      EXPECT_EQ(Texts{"192.0.2.77"}, as_text(resolver.resolve("a.test"))) << line;
    }
  });
  EXPECT_EQ(Texts{}, system.asked());
}

TEST_F(ResolverTest, N26_LookupsThatHangHoldUpNoOtherThread) {
  SystemNames system;
  system.add("slow.test", {"192.0.2.1"});
  system.hang();
  run([&] {
    ResolverOptions how = system_options();
    how.kind = Kind::system;
    Resolver resolver{how};
    std::vector<Task<void>> lookups;
    for (int i = 0; i < 100; ++i) {
      lookups.push_back(create_task([&resolver, i] {
        EXPECT_EQ(Why::no_such_name,
                  why_not([&] { resolver.resolve("n" + std::to_string(i) + ".test"); }));
      }));
    }
    settle();
    system.wait_until_hanging(4);
    EXPECT_EQ(7, to_thread([] { return 7; })) << "as a file is read";
    // Who is cancelled does not wait for its thread.
    for (int i = 50; i < 100; ++i) lookups[static_cast<std::size_t>(i)].cancel();
    settle();
    for (int i = 50; i < 100; ++i) {
      EXPECT_TRUE(lookups[static_cast<std::size_t>(i)].is_done());
    }
    EXPECT_EQ(4u, system.asked().size()) << "there are four threads";
    system.go_on();
    for (int i = 0; i < 50; ++i) await(lookups[static_cast<std::size_t>(i)]);
  });
}

TEST_F(ResolverTest, N35_TasksThatAskTheSystemForOneNameShareTheCall) {
  SystemNames system;
  system.add("a.test", {"192.0.2.1"});
  system.hang();
  run([&] {
    ResolverOptions how = system_options();
    how.kind = Kind::system;
    Resolver resolver{how};
    std::vector<Task<Texts>> lookups;
    for (int i = 0; i < 1000; ++i) {
      lookups.push_back(create_task([&] { return as_text(resolver.resolve("a.test")); }));
    }
    settle();
    system.wait_until_hanging(1);
    EXPECT_EQ(Texts{"a.test"}, system.asked());
    system.go_on();
    for (auto& lookup : lookups) EXPECT_EQ(Texts{"192.0.2.1"}, await(lookup));
    EXPECT_EQ(Texts{"a.test"}, system.asked());
  });
}

TEST_F(ResolverTest, N27_ATaskThatSharesACallMakesItAnewIfTheOtherIsCancelled) {
  SystemNames system;
  system.add("a.test", {"192.0.2.1"});
  system.hang();
  run([&] {
    ResolverOptions how = system_options();
    how.kind = Kind::system;
    Resolver resolver{how};
    auto first = create_task([&] { resolver.resolve("a.test"); });
    settle();
    auto second = create_task([&] { return as_text(resolver.resolve("a.test")); });
    settle();
    system.wait_until_hanging(1);
    first.cancel();
    EXPECT_THROW(await(first), TaskCancelledException);
    settle();
    system.wait_until_hanging(2);
    system.go_on();
    EXPECT_EQ(Texts{"192.0.2.1"}, await(second));
  });
}

}  // namespace
}  // namespace asyncio::test
