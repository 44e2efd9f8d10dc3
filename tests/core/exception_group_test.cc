// Groups of failures as exceptions: what they say, and how they go.
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

constexpr std::size_t longest = 5000;

std::exception_ptr within(std::exception_ptr inner, int groups, std::size_t& bytes) {
  for (int i = 0; i < groups; ++i) {
    const ExceptionGroup group("level " + std::to_string(i), {std::move(inner)});
    bytes += std::strlen(group.what());
    inner = std::make_exception_ptr(group);
  }
  return inner;
}

TEST(ExceptionGroupTest, TellsOfEachOnALineOfItsOwn) {
  const ExceptionGroup group("two failed", {std::make_exception_ptr(std::runtime_error("first")),
                                            std::make_exception_ptr(7)});
  EXPECT_STREQ(
      "two failed\n"
      "  - std::runtime_error: first\n"
      "  - an exception of type int",
      group.what());
}

TEST(ExceptionGroupTest, S10_BelowTenThousandGroupsTheTextIsShortAndNamesTheInnermostFailure) {
  constexpr int depth = 10'000;
  std::size_t bytes = 0;
  const std::exception_ptr outermost =
      within(std::make_exception_ptr(std::runtime_error("the cause")), depth, bytes);
  const std::string text = describe(outermost);
  EXPECT_LT(text.size(), longest);
  EXPECT_TRUE(contains(text, "level 9999")) << text;
  EXPECT_TRUE(contains(text, "level 0\n  - std::runtime_error: the cause")) << text;
  EXPECT_TRUE(contains(text, "[...]")) << text;
  EXPECT_LT(bytes, depth * longest);
}

TEST(ExceptionGroupTest, S10_TenThousandGroupsWithinEachOtherGoOnASmallStack) {
  run([] {
    std::size_t bytes = 0;
    auto last = within(std::make_exception_ptr(1), 10'000, bytes);
    await(create_task([last = std::exchange(last, nullptr)]() mutable { last = nullptr; },
                      TaskOptions{.stack_size = 16 << 10}));
  });
}

TEST(ExceptionGroupTest, S10_WhatAnotherHandleHoldsOutlivesTheGroupsAroundIt) {
  const auto cause = std::make_exception_ptr(std::runtime_error("the cause"));
  std::size_t bytes = 0;
  auto outermost = within(cause, 3, bytes);
  const auto another = outermost;
  outermost = nullptr;
  EXPECT_TRUE(contains(describe(another), "level 0")) << describe(another);
  EXPECT_EQ("the cause", message_of(cause));
}

// Whoever looks at a group while it goes.
struct LetsGoOfMore : std::exception {
  explicit LetsGoOfMore(std::exception_ptr others) : more(std::move(others)) {}
  std::exception_ptr more;
};

TEST(ExceptionGroupTest, S10_GroupsThatAreHeldByOtherExceptionsGoTooOnce) {
  struct Counted {
    explicit Counted(int& sum) : alive(&sum) { ++*alive; }
    Counted(const Counted& other) : alive(other.alive) { ++*alive; }
    ~Counted() { --*alive; }
    int* alive;
  };
  int alive = 0;
  {
    const ExceptionGroup inner("inner", {std::make_exception_ptr(Counted{alive})});
    const LetsGoOfMore between{std::make_exception_ptr(inner)};
    const ExceptionGroup outer(
        "outer", {std::make_exception_ptr(between), std::make_exception_ptr(Counted{alive})});
    EXPECT_EQ(2, alive);
  }
  EXPECT_EQ(0, alive);
}

TEST(ExceptionGroupTest, OfVeryManyFailuresItTellsTheFirstAndTheLast) {
  std::vector<std::exception_ptr> failures;
  for (int i = 0; i < 10'000; ++i) {
    failures.push_back(std::make_exception_ptr(std::runtime_error("no. " + std::to_string(i))));
  }
  const ExceptionGroup group("10000 failed", failures);
  const std::string text = group.what();
  EXPECT_LT(text.size(), longest);
  EXPECT_TRUE(contains(text, "10000 failed\n  - std::runtime_error: no. 0\n")) << text;
  EXPECT_TRUE(contains(text, "no. 9999")) << text;
  EXPECT_EQ(10'000u, group.exceptions().size());
}

TEST(ExceptionGroupTest, ALongMessageIsCutBetweenCharacters) {
  for (int shift = 0; shift < 4; ++shift) {
    std::string message(static_cast<std::size_t>(shift), 'x');
    for (int i = 0; i < 10'000; ++i) message += "\xF0\x9F\x90\x9A";  // four bytes of UTF-8
    const ExceptionGroup group(message, {std::make_exception_ptr(1)});
    const std::string text = group.what();
    const std::size_t gap = text.find("\n  [...]\n");
    ASSERT_NE(std::string::npos, gap);
    EXPECT_EQ(static_cast<std::size_t>(shift), gap % 4);
    EXPECT_EQ('\xF0', text[gap + std::strlen("\n  [...]\n")]);
    EXPECT_LT(text.size(), longest);
  }
}

}  // namespace
}  // namespace asyncio::test
