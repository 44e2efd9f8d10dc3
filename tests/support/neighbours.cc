#include <asyncio/tests/support/neighbours.h>

#include <string>

#include <gtest/gtest.h>

#include <asyncio/asyncio.h>

namespace asyncio::test {

using namespace std::chrono_literals;

namespace {
constexpr char last_message[] = "end";
}

Neighbours::Neighbours(EventLoop& loop) {
  loop.create_task([this] { sleep_and_count(); }, "sleeper");
  loop.create_task([this] { echo(); }, "echo");
  loop.create_task([this] { send_and_compare(); }, "sender");
  loop.create_task([this] { turn_over(); }, "always ready");
}

void Neighbours::expect_progress() const {
  // What shares the loop takes a hundred turns of it or more.  How many more is the machine's
  // affair, and how many milliseconds that is, too.
  constexpr int several = 10;
  EXPECT_GE(slept_, 1);
  EXPECT_GE(echoed_, several);
  EXPECT_GE(turned_, several);
}

void Neighbours::sleep_and_count() {
  while (!stopping_) {
    const TimePoint before = Clock::now();
    sleep(1ms);
    EXPECT_GE(Clock::now() - before, 1ms);
    ++slept_;
  }
}

void Neighbours::echo() const {
  std::string got;
  while (got != last_message) {
    wait_readable(pair_.a());
    got = pair_.read(0);
    pair_.write(0, got);
  }
}

void Neighbours::send_and_compare() {
  const auto round_trip = [this](const std::string& message) {
    pair_.write(1, message);
    wait_readable(pair_.b());
    EXPECT_EQ(message, pair_.read(1));
  };
  for (; !stopping_; ++echoed_) round_trip("message " + std::to_string(echoed_));
  round_trip(last_message);
}

void Neighbours::turn_over() {
  for (; !stopping_; ++turned_) yield();
}

}  // namespace asyncio::test
