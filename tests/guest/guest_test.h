// The fixture of the cases that run in every host.  docs/semantics.md lists the pitfalls by their
// numbers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/guest/host.h>

namespace asyncio::test {

class GuestTest : public testing::Test {
 protected:
  GuestTest() : host(make_host()), loop(*host) {
    loop->set_exception_handler([this](const ExceptionContext& context) {
      reports.push_back(context.message + (context.exception == nullptr
                                               ? std::string{}
                                               : ": " + describe(context.exception)));
    });
  }
  ~GuestTest() override { EXPECT_EQ(std::vector<std::string>{}, reports); }

  std::unique_ptr<Host> host;
  std::vector<std::string> reports;
  Guest loop;
};

}  // namespace asyncio::test
