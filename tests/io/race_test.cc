// The race of connects, with addresses and connections that the test makes up.
#include <chrono>
#include <exception>
#include <filesystem>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/socket.h>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/io/internal/open_socket.h>
#include <asyncio/io/internal/race.h>
#include <asyncio/io/internal/system_error.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;
using detail::Found;
using detail::FoundNews;
using detail::Race;

class RaceTest : public LoopTest {
 protected:
  /// What becomes of an attempt: nothing, unless the test has said so before.
  struct Fate {
    Duration after = 0ns;
    int error = 0;  ///< 0: connected
  };

  /// Races to `hosts`, which are found at once or by `find`.  Returns the one that won, if any.
  std::string race(const std::vector<std::string>& hosts) {
    return race([hosts](const FoundNews& news) { news({parsed(hosts), false, false}); });
  }
  std::string race(Race::Find find) {
    Race race{80, {50ms, 250ms}, [this](const Endpoint& to) { return dial(to); }, std::move(find)};
    const bool won = race.run(lowlevel::enter("race")).has_value();
    attempts = race.take_attempts();
    return won ? winner : "";
  }

  Race::Dialled dial(const Endpoint& to) {
    const std::string host = to.address().to_string();
    began.push_back(host + " after " + std::to_string(elapsed() / 1ms));
    detail::Socket socket = detail::open_socket(AF_INET, SOCK_STREAM, "dial");
    const auto fate = fates.find(host);
    if (fate == fates.end()) sleep_forever();
    if (fate->second.after != 0ns) sleep(fate->second.after);
    if (fate->second.error != 0) return {detail::error_code_of(fate->second.error), std::nullopt};
    if (winner.empty()) winner = host;
    ++connected;
    return {{}, std::move(socket)};
  }

  static std::vector<IpAddress> parsed(const std::vector<std::string>& hosts) {
    std::vector<IpAddress> addresses;
    for (const std::string& host : hosts) addresses.push_back(IpAddress::parse(host));
    return addresses;
  }

  static std::ptrdiff_t descriptors() {
    return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {});
  }

  std::map<std::string, Fate> fates;
  std::vector<std::string> began;
  std::vector<Attempt> attempts;
  std::string winner;
  int connected = 0;
};

using Strings = std::vector<std::string>;

TEST_F(RaceTest, N16_TheNextAddressIsTriedAfterAQuarterOfASecond) {
  run([this] {
    fates["192.0.2.1"] = {};
    EXPECT_EQ("192.0.2.1", race({"2001:db8::1", "192.0.2.1"}));
    EXPECT_EQ((Strings{"2001:db8::1 after 0", "192.0.2.1 after 250"}), began);
  });
  EXPECT_EQ(250ms, elapsed());
}

TEST_F(RaceTest, N16_AnEarlierAttemptGoesOnAndMayWin) {
  run([this] {
    fates["2001:db8::1"] = {.after = 300ms};
    fates["192.0.2.1"] = {.after = 100ms};
    EXPECT_EQ("2001:db8::1", race({"2001:db8::1", "192.0.2.1"}));
  });
  EXPECT_EQ(300ms, elapsed());
}

TEST_F(RaceTest, N17_AfterAFailureTheNextIsTriedAtOnce) {
  run([this] {
    fates["2001:db8::1"] = {.after = 10ms, .error = ECONNREFUSED};
    fates["192.0.2.1"] = {.error = ENETUNREACH};
    fates["2001:db8::2"] = {};
    EXPECT_EQ("2001:db8::2", race({"2001:db8::1", "2001:db8::2", "192.0.2.1"}));
    EXPECT_EQ((Strings{"2001:db8::1 after 0", "192.0.2.1 after 10", "2001:db8::2 after 10"}),
              began);
  });
}

TEST_F(RaceTest, N17_TheFamiliesTakeTurns) {
  run([this] {
    fates["2001:db8::4"] = {};
    EXPECT_EQ("2001:db8::4",
              race({"2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4", "192.0.2.1"}));
    EXPECT_EQ((Strings{"2001:db8::1 after 0", "192.0.2.1 after 250", "2001:db8::2 after 500",
                       "2001:db8::3 after 750", "2001:db8::4 after 1000"}),
              began);
  });
}

TEST_F(RaceTest, N18_WhenAllFailEachAttemptIsListedInTheOrderOfTheirBeginnings) {
  run([this] {
    fates["2001:db8::1"] = {.after = 400ms, .error = ETIMEDOUT};
    fates["192.0.2.1"] = {.after = 10ms, .error = ECONNREFUSED};
    EXPECT_EQ("", race({"2001:db8::1", "192.0.2.1"}));
    ASSERT_EQ(2u, attempts.size());
    EXPECT_EQ(Endpoint::parse("[2001:db8::1]:80"), attempts[0].to);
    EXPECT_EQ(std::errc::timed_out, attempts[0].code);
    EXPECT_EQ(Endpoint::parse("192.0.2.1:80"), attempts[1].to);
    EXPECT_EQ(std::errc::connection_refused, attempts[1].code);
  });
}

TEST_F(RaceTest, N19_OfTwoThatWinInOneTurnOneIsKeptAndOneClosed) {
  run([this] {
    fates["2001:db8::1"] = {.after = 300ms};
    fates["192.0.2.1"] = {.after = 50ms};
    const std::ptrdiff_t before = descriptors();
    EXPECT_NE("", race({"2001:db8::1", "192.0.2.1"}));
    EXPECT_EQ(2, connected);
    EXPECT_EQ(before, descriptors());
  });
}

TEST_F(RaceTest, N20_ACancelEndsEveryAttemptAndClosesItsSocket) {
  run([this] {
    const std::ptrdiff_t before = descriptors();
    auto racing = create_task([&] { race({"2001:db8::1", "192.0.2.1", "2001:db8::2"}); });
    sleep(600ms);
    EXPECT_EQ(3u, began.size());
    EXPECT_EQ(before + 3, descriptors());
    racing.cancel();
    EXPECT_THROW(await(racing), TaskCancelledException);
    EXPECT_EQ(before, descriptors());
  });
}

TEST_F(RaceTest, N21_WithoutAnAnswerAboutV6ItBeginsAfterFiftyMilliseconds) {
  run([this] {
    fates["192.0.2.1"] = {};
    EXPECT_EQ("192.0.2.1", race([](const FoundNews& news) {
                news({parsed({"192.0.2.1"}), true, false});
                sleep_forever();
              }));
    EXPECT_EQ(Strings{"192.0.2.1 after 50"}, began);
  });
}

TEST_F(RaceTest, N21_AnAnswerAboutV6ThatComesInTimeGoesFirst) {
  run([this] {
    fates["2001:db8::1"] = {};
    EXPECT_EQ("2001:db8::1", race([](const FoundNews& news) {
                news({parsed({"192.0.2.1"}), true, false});
                sleep(49ms);
                news({parsed({"2001:db8::1", "192.0.2.1"}), false, false});
              }));
    EXPECT_EQ(Strings{"2001:db8::1 after 49"}, began);
  });
}

TEST_F(RaceTest, N21_OneThatComesLateTakesItsTurn) {
  run([this] {
    fates["2001:db8::1"] = {};
    EXPECT_EQ("2001:db8::1", race([](const FoundNews& news) {
                news({parsed({"192.0.2.1", "192.0.2.2"}), true, false});
                sleep(100ms);
                news({parsed({"2001:db8::1", "192.0.2.1", "192.0.2.2"}), false, false});
              }));
    EXPECT_EQ((Strings{"192.0.2.1 after 50", "2001:db8::1 after 300"}), began);
  });
}

TEST_F(RaceTest, V6AloneDoesNotWaitForV4) {
  run([this] {
    fates["2001:db8::1"] = {};
    EXPECT_EQ("2001:db8::1", race([](const FoundNews& news) {
                news({parsed({"2001:db8::1"}), false, true});
                sleep_forever();
              }));
    EXPECT_EQ(Strings{"2001:db8::1 after 0"}, began);
  });
}

TEST_F(RaceTest, AddressesThatComeAfterTheOthersHaveFailedAreTriedYet) {
  run([this] {
    fates["2001:db8::1"] = {.error = ECONNREFUSED};
    fates["192.0.2.1"] = {};
    EXPECT_EQ("192.0.2.1", race([](const FoundNews& news) {
                news({parsed({"2001:db8::1"}), false, true});
                sleep(3s);
                news({parsed({"2001:db8::1", "192.0.2.1"}), false, false});
              }));
    EXPECT_EQ((Strings{"2001:db8::1 after 0", "192.0.2.1 after 3000"}), began);
  });
}

TEST_F(RaceTest, ASearchThatFailsIsTheErrorUnlessAnAddressWasTried) {
  run([this] {
    fates["192.0.2.1"] = {.error = ECONNREFUSED};
    EXPECT_THROW(race([](const FoundNews&) { throw std::out_of_range("search"); }),
                 std::out_of_range);
    EXPECT_EQ("", race([](const FoundNews& news) {
                news({parsed({"192.0.2.1"}), false, false});
                throw std::out_of_range("search");
              }));
    EXPECT_EQ(1u, attempts.size());
  });
}

TEST_F(RaceTest, WhatIsNoFailureOfOneAddressEndsTheRace) {
  run([] {
    Race race{80,
              {50ms, 250ms},
              [](const Endpoint&) -> Race::Dialled { throw std::invalid_argument("options"); },
              [](const FoundNews& news) {
                news({parsed({"192.0.2.1", "192.0.2.2"}), false, false});
              }};
    EXPECT_THROW(race.run(lowlevel::enter("race")), std::invalid_argument);
  });
}

TEST_F(RaceTest, NoMoreThanSixteenAttemptsAreUnderWay) {
  run([this] {
    Strings hosts;
    for (int i = 1; i <= 200; ++i) hosts.push_back("192.0.2." + std::to_string(i));
    auto racing = create_task([&] { race(hosts); });
    sleep(1h);
    EXPECT_EQ(16u, began.size());
    racing.cancel();
    EXPECT_THROW(await(racing), TaskCancelledException);
  });
}

}  // namespace
}  // namespace asyncio::test
