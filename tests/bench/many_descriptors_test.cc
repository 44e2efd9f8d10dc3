// How many descriptors a benchmark asks for where the limit is low.
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "../../bench/support/many_descriptors.h"

namespace bench {
namespace {

using Sizes = std::vector<std::int64_t>;

TEST(ManyDescriptors, AllSizesFitUnderAHighLimit) {
  EXPECT_EQ(fitting({10, 20'000}, 20'100), (Sizes{10, 20'000}));
}

TEST(ManyDescriptors, TheFirstThatDoesNotFitBecomesTheMostThatDoes) {
  EXPECT_EQ(fitting({10, 3'000, 20'000}, 20'000), (Sizes{10, 3'000, 19'900}));
  EXPECT_EQ(fitting({10, 3'000, 20'000}, 1'024), (Sizes{10, 924}));
  EXPECT_EQ(fitting({1'000}, 200), (Sizes{100}));
}

TEST(ManyDescriptors, NoSizeIsRunTwice) {
  EXPECT_EQ(fitting({10, 100, 900}, 200), (Sizes{10, 100}));
}

TEST(ManyDescriptors, NoneFitsWithoutRoom) { EXPECT_EQ(fitting({10}, 50), (Sizes{})); }

}  // namespace
}  // namespace bench
