// The registry of backends (case L37; how creation fails is in
// backends/creation_conformance_test.cc).
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <asyncio/core/backend_registry.h>
#include <asyncio/core/errors.h>

namespace asyncio::test {
namespace {

BackendInfo named(std::string name) {
  return {std::move(name), -100, [] { return make_backend("select"); }};
}

TEST(BackendsRegistryTest, OurOwnComeBestFirst) {
  const std::vector<std::string> names = available_backends();
  std::vector<std::string> ours;
  for (const std::string& name : names) {
    if (name == "ev" || name == "event" || name == "select") ours.push_back(name);
  }
  ASSERT_FALSE(ours.empty());
  EXPECT_TRUE(std::is_sorted(ours.begin(), ours.end()))
      << "the ranks happen to be in the order of the alphabet";
}

TEST(BackendsRegistryTest, EachNameIsListedOnce) {
  std::vector<std::string> names = available_backends();
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names.end(), std::adjacent_find(names.begin(), names.end()));
}

TEST(BackendsRegistryTest, L37_NamesThatCannotBeAskedForAreRefused) {
  const std::size_t before = available_backends().size();
  EXPECT_THROW(register_backend(named("")), BackendError);
  EXPECT_THROW(register_backend(named("auto")), BackendError);
  EXPECT_THROW(register_backend(named(available_backends().front())), BackendError) << "taken";
  EXPECT_THROW(register_backend({"no factory", 1, nullptr}), BackendError);
  EXPECT_EQ(before, available_backends().size());
}

TEST(BackendsRegistryTest, ANegativeRankComesAfterAllOfOurs) {
  static int parties = 0;  // each stays for the rest of the process
  const std::string name = "third party " + std::to_string(++parties);
  register_backend(named(name));
  EXPECT_EQ(name, available_backends().back());
  EXPECT_THROW(register_backend(named(name)), BackendError) << "taken by now";
}

}  // namespace
}  // namespace asyncio::test
