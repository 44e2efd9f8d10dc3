// describe(): what can be said of an exception, whatever it is.
#include <exception>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include <asyncio/core/exception_group.h>

namespace asyncio::test {
namespace {

TEST(DescribeTest, NamesTypeAndMessage) {
  EXPECT_EQ("std::runtime_error: oops",
            describe(std::make_exception_ptr(std::runtime_error("oops"))));
}

TEST(DescribeTest, WhatIsNoStdExceptionHasAType) {
  EXPECT_EQ("an exception of type int", describe(std::make_exception_ptr(42)));
  EXPECT_EQ("no exception", describe(nullptr));
}

struct Silent : std::exception {
  const char* what() const noexcept override { return nullptr; }
};

TEST(DescribeTest, AMessageThatIsNullIsNone) {
  const std::string text = describe(std::make_exception_ptr(Silent{}));
  EXPECT_NE(std::string::npos, text.find("Silent: no message")) << text;
}

TEST(DescribeTest, AGroupMayHoldOneWithoutAMessage) {
  const ExceptionGroup group{"both", {std::make_exception_ptr(Silent{}), nullptr}};
  const std::string text = group.what();
  EXPECT_EQ(0u, text.find("both\n  - ")) << text;
  EXPECT_NE(std::string::npos, text.find("no message\n  - no exception")) << text;
}

}  // namespace
}  // namespace asyncio::test
