// Programs that fuzzing found worth keeping, and random ones.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <asyncio/tests/fuzz/program.h>

namespace asyncio::test {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes contents(const std::filesystem::path& file) {
  std::ifstream stream{file, std::ios::binary};
  return Bytes{std::istreambuf_iterator<char>{stream}, {}};
}

TEST(FuzzProgramTest, EveryOneOfTheCorpusKeepsTheInvariants) {
  const char* corpus = std::getenv("ASYNCIO_FUZZ_CORPUS");
  ASSERT_NE(nullptr, corpus) << "names the folder";
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator{corpus}) files.push_back(entry);
  std::sort(files.begin(), files.end());
  ASSERT_FALSE(files.empty());
  for (const auto& file : files) {
    std::cout << file.filename().string() << std::endl;  // flushed: the next line may be the last
    const Bytes program = contents(file);
    run_program(program.data(), program.size());
  }
}

TEST(FuzzProgramTest, RandomOnesDoToo) {
  const char* text = std::getenv("ASYNCIO_TEST_SEED");
  const unsigned long first = text == nullptr ? 0 : std::strtoul(text, nullptr, 10) * 1000;
  for (unsigned long seed = first; seed < first + 300; ++seed) {
    std::cout << "seed " << seed << std::endl;
    std::mt19937 random{static_cast<std::mt19937::result_type>(seed)};
    Bytes program(random() % 500);
    std::generate(program.begin(), program.end(),
                  [&] { return static_cast<std::uint8_t>(random()); });
    run_program(program.data(), program.size());
  }
}

}  // namespace
}  // namespace asyncio::test
