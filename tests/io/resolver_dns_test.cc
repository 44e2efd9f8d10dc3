// Resolver and name servers.
#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/io/internal/names/dns_client.h>
#include <asyncio/tests/io/resolver_fixture.h>
#include <asyncio/tests/io/tcp_pair.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class ResolverDnsTest : public NamesTest {
 protected:
  void SetUp() override {
    if (!detail::have_dns_client()) {
      loop();  // else a host would be missed
      GTEST_SKIP() << "built without c-ares";
    }
  }
};

using Question = NameServer::Question;
using Answer = NameServer::Answer;

std::optional<Answer> nothing_of_it(Rcode code) { return Answer{.code = code}; }

TEST_F(ResolverDnsTest, BothFamiliesAreAskedForAtOnce) {
  run([this] {
    NameServer server{silence()};
    Resolver resolver{options_with(server)};
    auto lookup = create_task([&] { return as_text(resolver.resolve("Web.test")); });
    settle();
    EXPECT_EQ((Texts{"A Web.test", "AAAA Web.test"}), server.asked());
    server.answer_kept(always({"192.0.2.1", "192.0.2.2", "::1"}));
    EXPECT_EQ((Texts{"::1", "192.0.2.1", "192.0.2.2"}), await(lookup));
  });
}

TEST_F(ResolverDnsTest, OneFamilyAloneIsAskedForAlone) {
  run([this] {
    NameServer server{always({"192.0.2.1", "::1"})};
    Resolver resolver{options_with(server)};
    EXPECT_EQ(Texts{"192.0.2.1"}, as_text(resolver.resolve("a.test", AddressFamily::v4)));
    EXPECT_EQ(Texts{"A a.test"}, server.asked());
    ResolveOptions how;
    how.resolver = &resolver;
    how.family = AddressFamily::v6;
    EXPECT_EQ(Texts{"::1"}, as_text(resolve("b.test", how)));
    EXPECT_EQ((Texts{"A a.test", "AAAA b.test"}), server.asked());
  });
}

TEST_F(ResolverDnsTest, EachWayToFailHasItsOwnReason) {
  run([this] {
    NameServer server{[](const Question& question) -> std::optional<Answer> {
      const bool is_v6 = question.family == AddressFamily::v6;
      if (question.name == "none.test") return nothing_of_it(Rcode::no_such_name);
      if (question.name == "empty.test") return nothing_of_it(Rcode::ok);
      if (question.name == "half.test") {
        return nothing_of_it(is_v6 ? Rcode::server_failed : Rcode::ok);
      }
      if (question.name == "lame.test" && !is_v6) return always({"192.0.2.1"})(question);
      return nothing_of_it(Rcode::server_failed);
    }};
    Resolver resolver{options_with(server)};
    const auto why = [&](std::string_view name) {
      return why_not([&] { resolver.resolve(name); });
    };
    EXPECT_EQ(Why::no_such_name, why("none.test"));
    EXPECT_EQ(Why::no_address, why("empty.test"));
    EXPECT_EQ(Why::server_failed, why("broken.test"));
    EXPECT_EQ(Why::server_failed, why("half.test")) << "there may be an address, or not";
    EXPECT_EQ(Texts{"192.0.2.1"}, as_text(resolver.resolve("lame.test")));
    const std::string said = message_of<ResolveError>([&] { resolver.resolve("none.test"); });
    EXPECT_EQ("resolve(\"none.test\"): there is no such name", said);
  });
}

TEST_F(ResolverDnsTest, DomainsAreSearchedForTheFirstThatHasTheNameInAnyFamily) {
  run([this] {
    NameServer server{[](const Question& question) -> std::optional<Answer> {
      if (question.name == "web.one.test") return nothing_of_it(Rcode::no_such_name);
      // The first that has the name has it in one family only.  The second one's other family is
      // another host's.
      if (question.name == "web.two.test" && question.family == AddressFamily::v4) {
        return always({"192.0.2.2"})(question);
      }
      if (question.name == "web.three.test") return always({"192.0.2.3", "2001:db8::3"})(question);
      if (question.name == "web") return always({"192.0.2.4"})(question);
      return nothing_of_it(Rcode::ok);
    }};
    ResolverOptions how = options_with(server);
    how.search = {"one.test", "two.test.", "three.test"};
    Resolver resolver{how};
    EXPECT_EQ(Texts{"192.0.2.2"}, as_text(resolver.resolve("web")));
    EXPECT_EQ((Texts{"A web.one.test", "A web.two.test", "AAAA web.one.test", "AAAA web.two.test"}),
              server.asked());
    EXPECT_EQ(Texts{"192.0.2.4"}, as_text(resolver.resolve("web."))) << "not searched for";
    // With a dot in it, it is first taken as it is.
    EXPECT_EQ(Texts{"2001:db8::3"}, as_text(resolver.resolve("web.three.test", AddressFamily::v6)));
    EXPECT_EQ(7u, server.asked().size());
  });
}

TEST_F(ResolverDnsTest, TheSearchListIsThatOfResolvConf) {
  run([this] {
    NameServer server{[](const Question& question) -> std::optional<Answer> {
      if (question.name == "a.b.two.test") return always({"192.0.2.2"})(question);
      return nothing_of_it(Rcode::no_such_name);
    }};
    write("resolv.conf", "nameserver 192.0.2.1\nsearch one.test two.test\noptions ndots:2\n");
    ResolverOptions how = options_with(server);
    how.search = {};
    Resolver resolver{how};
    EXPECT_EQ(Texts{"192.0.2.2"}, as_text(resolver.resolve("a.b", AddressFamily::v4)));
    EXPECT_EQ((Texts{"A a.b.one.test", "A a.b.two.test"}), server.asked());
    EXPECT_EQ(Why::no_such_name, why_not([&] { resolver.resolve("x.y.z", AddressFamily::v4); }));
    EXPECT_EQ((Texts{"A a.b.one.test", "A a.b.two.test", "A x.y.z", "A x.y.z.one.test",
                     "A x.y.z.two.test"}),
              server.asked());
  });
}

TEST_F(ResolverDnsTest, N25_ASilentServerKeepsNobodyWhoIsCancelled) {
  run([this] {
    NameServer server{silence()};
    Resolver resolver{options_with(server)};
    auto lookup = create_task([&] { resolver.resolve("a.test"); });
    settle();
    EXPECT_EQ(2u, server.asked().size());
    lookup.cancel();
    settle();
    EXPECT_TRUE(lookup.is_done());
    EXPECT_THROW(await(lookup), TaskCancelledException);
    // What the server says later is nobody's; a new question is one of its own.
    server.answer_kept(always({"192.0.2.1"}));
    EXPECT_EQ(Texts{"192.0.2.1"}, as_text(resolver.resolve("a.test")));
    EXPECT_EQ(4u, server.asked().size());
  });
}

TEST_F(ResolverDnsTest, N25_TheEndOfTheLoopWaitsForNoAnswer) {
  run([this] {
    NameServer server{silence()};
    auto resolver = std::make_shared<Resolver>(options_with(server));
    create_task([resolver] { resolver->resolve("a.test"); });
    create_task([resolver] { resolver->resolve("b.test"); });
    settle();
    EXPECT_EQ(4u, server.asked().size());
  });
  end_loop();
}

TEST_F(ResolverDnsTest, ATimeoutIsAScopesHereToo) {
  run([this] {
    NameServer server{silence()};
    Resolver resolver{options_with(server)};
    EXPECT_THROW(timeout(1s, [&] { resolver.resolve("a.test"); }), TimeoutException);
  });
  EXPECT_EQ(1s, elapsed());
}

TEST_F(ResolverDnsTest, N27_WhenTheTaskThatWorksForAllIsCancelledAnotherDoes) {
  run([this] {
    NameServer server{silence()};
    Resolver resolver{options_with(server)};
    std::vector<Task<Texts>> lookups;
    for (const char* name : {"a.test", "b.test", "b.test", "c.test"}) {
      lookups.push_back(create_task([&, name] { return as_text(resolver.resolve(name)); }));
      settle();
    }
    lookups[0].cancel();
    lookups[2].cancel();
    settle();
    EXPECT_TRUE(lookups[0].is_done());
    server.answer_kept(always({"192.0.2.1"}));
    EXPECT_EQ(Texts{"192.0.2.1"}, await(lookups[1]));
    EXPECT_EQ(Texts{"192.0.2.1"}, await(lookups[3]));
    EXPECT_EQ(6u, server.asked().size());
  });
}

TEST_F(ResolverDnsTest, N27_WhoHasItsAnswerHandsTheWorkOn) {
  run([this] {
    NameServer server{silence()};
    Resolver resolver{options_with(server)};
    auto first = create_task([&] { return as_text(resolver.resolve("a.test")); });
    settle();
    auto second = create_task([&] { return as_text(resolver.resolve("b.test")); });
    settle();
    server.answer_kept([](const Question& question) -> std::optional<Answer> {
      if (question.name != "a.test") return std::nullopt;
      return always({"192.0.2.1"})(question);
    });
    EXPECT_EQ(Texts{"192.0.2.1"}, await(first));
    EXPECT_FALSE(second.is_done());
    server.answer_kept(always({"192.0.2.2"}));
    EXPECT_EQ(Texts{"192.0.2.2"}, await(second));
  });
}

TEST_F(ResolverDnsTest, N28_ANumberThatWasASocketOfALookupIsItsNextOwners) {
  run([this] {
    NameServer server{always({"192.0.2.1"})};
    Resolver resolver{options_with(server)};
    resolver.resolve("a.test");
    // Its socket is closed by now, and the next ones get its number.
    auto [ours, theirs] = UnixStream::pair();
    int woken = 0;
    auto reader = create_task([&, &ours = ours] {
      ours.wait_readable();
      ++woken;
    });
    settle();
    for (int i = 0; i < 3; ++i) resolver.resolve("b" + std::to_string(i) + ".test");
    settle();
    EXPECT_EQ(0, woken);
    theirs.write_all("x");
    await(reader);
    EXPECT_EQ(1, woken);
  });
}

TEST_F(ResolverDnsTest, N29_AfterAServerThatRefusesTheNextIsAsked) {
  run([this] {
    NameServer server{always({"192.0.2.1"})};
    std::uint16_t nobody = UdpSocket::bind(loopback()).local().port();
    Resolver resolver{options_with({loopback(nobody), server.at()})};
    EXPECT_EQ(Texts{"192.0.2.1"}, as_text(resolver.resolve("a.test")));
    Resolver alone{options_with(std::vector{loopback(nobody)})};
    EXPECT_EQ(Why::server_failed, why_not([&] { alone.resolve("a.test"); }));
  });
}

TEST_F(ResolverDnsTest, N32_AnEntryOfTheHostsFileIsNotAskedFor) {
  run([this] {
    write("hosts", "192.0.2.7 Db db.test # both\n2001:db8::7\tv6.test\n192.0.2.8 db\n");
    NameServer server{silence()};
    Resolver resolver{options_with(server)};
    EXPECT_EQ((Texts{"192.0.2.7", "192.0.2.8"}), as_text(resolver.resolve("DB")));
    EXPECT_EQ(Texts{"192.0.2.7"}, as_text(resolver.resolve("db.test.")));
    EXPECT_EQ(Texts{"2001:db8::7"}, as_text(resolver.resolve("v6.test")));
    EXPECT_EQ(Why::no_address, why_not([&] { resolver.resolve("v6.test", AddressFamily::v4); }));
    settle();
    EXPECT_EQ(Texts{}, server.asked());
  });
}

TEST_F(ResolverDnsTest, N34_FilesAreLookedAtAgainAfterFiveSeconds) {
  run([this] {
    // The port of a server in resolv.conf is 53.  Each process has addresses of its own.
    const int process = ::getpid();
    const auto here = [&](int first) {
      return "127." + std::to_string(first) + "." + std::to_string(process >> 8 & 0xff) + "." +
             std::to_string(process & 0xff);
    };
    std::optional<NameServer> one, two;
    try {
      one.emplace(always({"192.0.2.1"}), Endpoint{IpAddress::parse(here(101)), 53});
      two.emplace(always({"192.0.2.2"}), Endpoint{IpAddress::parse(here(102)), 53});
    } catch (const IoError& error) {
      GTEST_SKIP() << "needs the right to bind port 53: " << error.what();
    }
    ResolverOptions how = options_with(std::vector<Endpoint>{});
    how.cache_entries = 10;
    write("resolv.conf", "nameserver " + here(101) + "\n");
    Resolver resolver{how};
    EXPECT_EQ(Texts{"192.0.2.1"}, as_text(resolver.resolve("a.test")));
    write("resolv.conf", "# a new one\nnameserver " + here(102) + "\n");
    write("hosts", "192.0.2.3 b.test\n");
    sleep(4s);
    EXPECT_EQ(Texts{"192.0.2.1"}, as_text(resolver.resolve("a.test")));
    EXPECT_EQ(Texts{"192.0.2.1"}, as_text(resolver.resolve("b.test")));
    sleep(1s);
    EXPECT_EQ(Texts{"192.0.2.2"}, as_text(resolver.resolve("a.test")));
    EXPECT_EQ(Texts{"192.0.2.3"}, as_text(resolver.resolve("b.test")));
  });
}

TEST_F(ResolverDnsTest, N35_AThousandTasksThatAskForOneNameAreOneQuery) {
  run([this] {
    NameServer server{silence()};
    Resolver resolver{options_with(server)};
    std::vector<Task<Texts>> lookups;
    for (int i = 0; i < 1000; ++i) {
      const char* name = i % 2 == 0 ? "a.test" : "A.TEST";
      lookups.push_back(create_task([&, name] { return as_text(resolver.resolve(name)); }));
    }
    settle();
    EXPECT_EQ(2u, server.asked().size());
    server.answer_kept(always({"192.0.2.1"}));
    for (auto& lookup : lookups) EXPECT_EQ(Texts{"192.0.2.1"}, await(lookup));
    EXPECT_EQ(2u, server.asked().size());
  });
}

TEST_F(ResolverDnsTest, ManyNamesAreAskedForSomeAtATime) {
  run([this] {
    NameServer server{silence()};
    Resolver resolver{options_with(server)};
    constexpr int names = 1000;
    std::vector<Task<Texts>> lookups;
    for (int i = 0; i < names; ++i) {
      lookups.push_back(create_task(
          [&, i] { return as_text(resolver.resolve("n" + std::to_string(i) + ".test")); }));
    }
    settle();
    EXPECT_EQ(2u * 64, server.asked().size());
    for (int i = 0; i < names; i += 2) lookups[static_cast<std::size_t>(i)].cancel();
    server.answer_kept(always({"192.0.2.1"}));
    for (int i = 1; i < names; i += 2) {
      EXPECT_EQ(Texts{"192.0.2.1"}, await(lookups[static_cast<std::size_t>(i)]));
    }
  });
}

TEST_F(ResolverDnsTest, NothingIsRememberedUnlessAskedFor) {
  run([this] {
    NameServer server{always({"192.0.2.1"})};
    Resolver resolver{options_with(server)};
    resolver.resolve("a.test");
    resolver.resolve("a.test");
    EXPECT_EQ(4u, server.asked().size());
  });
}

TEST_F(ResolverDnsTest, ANameIsRememberedAsLongAsItsServersAllow) {
  run([this] {
    NameServer server{[](const Question& question) {
      std::optional<Answer> answer = always({"192.0.2.1"})(question);
      answer->ttl = question.name == "never.test" ? 0 : 30;
      return answer;
    }};
    ResolverOptions how = options_with(server);
    how.cache_entries = 2;
    Resolver resolver{how};
    const auto queries_of = [&](std::string_view name) {
      const std::size_t before = server.asked().size();
      EXPECT_EQ(Texts{"192.0.2.1"}, as_text(resolver.resolve(name)));
      return server.asked().size() - before;
    };
    EXPECT_EQ(2u, queries_of("a.test"));
    EXPECT_EQ(0u, queries_of("A.test"));
    sleep(29s);
    EXPECT_EQ(0u, queries_of("a.test"));
    sleep(1s);
    EXPECT_EQ(2u, queries_of("a.test"));
    EXPECT_EQ(2u, queries_of("never.test"));
    EXPECT_EQ(2u, queries_of("never.test"));
    // The least recent goes first.
    EXPECT_EQ(2u, queries_of("b.test"));
    EXPECT_EQ(0u, queries_of("a.test"));
    EXPECT_EQ(2u, queries_of("c.test"));
    EXPECT_EQ(0u, queries_of("a.test"));
    EXPECT_EQ(2u, queries_of("b.test"));
  });
}

TEST_F(ResolverDnsTest, AResolverThatIsDestroyedTellsThoseWhoWait) {
  run([this] {
    NameServer server{silence()};
    auto resolver = std::make_unique<Resolver>(options_with(server));
    std::vector<Task<void>> lookups;
    for (const char* name : {"a.test", "b.test", "a.test"}) {
      lookups.push_back(create_task([&, name] { resolver->resolve(name); }));
    }
    settle();
    resolver.reset();
    for (auto& lookup : lookups) EXPECT_THROW(await(lookup), ClosedError);
  });
}

TEST_F(ResolverDnsTest, AForkedChildLeavesTheParentsQueriesAlone) {
  run([this] {
    NameServer server{silence()};
    auto resolver = std::make_unique<Resolver>(options_with(server));
    auto lookup = create_task([&] { return as_text(resolver->resolve("a.test")); });
    settle();
    const pid_t child = ::fork();
    if (child == 0) {
      int status = 1;
      try {
        after_fork();
        // It asks by sockets of its own; the task that came along is told that its are not.
        auto own = create_task([&] { resolver->resolve("b.test"); });
        settle();
        own.cancel();
        await(lookup);
      } catch (const ClosedError&) {
        resolver.reset();
        status = 0;
      } catch (...) {
        status = 2;
      }
      ::_exit(status);
    }
    int status = -1;
    ASSERT_EQ(child, ::waitpid(child, &status, 0));
    EXPECT_EQ(0, status);
    settle();
    EXPECT_FALSE(lookup.is_done());
    server.answer_kept(always({"192.0.2.1"}));
    EXPECT_EQ(Texts{"192.0.2.1"}, await(lookup));
  });
}

}  // namespace
}  // namespace asyncio::test
