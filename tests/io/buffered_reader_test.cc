// BufferedReader.
#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tests/io/scripted_stream.h>
#include <asyncio/tests/io/system_calls.h>
#include <asyncio/tests/io/tcp_pair.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

class BufferedReaderTest : public LoopTest {};

std::span<std::byte> as_space(std::string& text) { return std::as_writable_bytes(std::span{text}); }

// ---- Lines --------------------------------------------------------------------------------------

TEST_F(BufferedReaderTest, LinesComeWithoutTheirEnds) {
  run([] {
    ScriptedStream stream{"one\ntwo\r", "\n\n\r\nfi", "ve\rsix"};
    stream.end();
    BufferedReader reader{stream};
    for (const char* line : {"one", "two", "", "", "five\rsix"}) {
      EXPECT_EQ(std::optional<std::string_view>{line}, reader.read_line());
    }
    EXPECT_EQ(std::nullopt, reader.read_line());
    EXPECT_EQ(std::nullopt, reader.read_line());
  });
}

TEST_F(BufferedReaderTest, WhatOneReadBroughtNeedsNoOther) {
  run([] {
    ScriptedStream stream{"a\nb\nc\n"};
    BufferedReader reader{stream};
    reader.read_line();
    ExpectNoSuspend at_once;
    EXPECT_EQ("b", reader.read_line());
    EXPECT_EQ("c", reader.read_line());
    EXPECT_EQ(1, stream.reads);
  });
}

TEST_F(BufferedReaderTest, N61_ALineOverTheLimitCanBeReadWithALargerOne) {
  run([] {
    ScriptedStream stream{"0123456789\nnext\n"};
    BufferedReader reader{stream, 8};
    const std::string said = message_of<LimitError>([&] { reader.read_line(); });
    EXPECT_TRUE(contains(said, "BufferedReader::read_line: more than 8 bytes")) << said;
    EXPECT_TRUE(contains(said, "call it with a larger one")) << said;
    EXPECT_THROW(reader.read_line(10), LimitError) << "its end counts";
    EXPECT_EQ("0123456789", reader.read_line(11));
    EXPECT_EQ("next", reader.read_line());
  });
}

TEST_F(BufferedReaderTest, N61_ALimitHoldsHoweverTheBytesCome) {
  run([] {
    const std::string_view all = "1234567\n";
    for (std::size_t cut = 0; cut <= all.size(); ++cut) {
      for (const std::size_t limit : {7u, 8u}) {
        ScriptedStream stream;
        if (cut > 0) stream.come(all.substr(0, cut));
        if (cut < all.size()) stream.come(all.substr(cut));
        BufferedReader reader{stream};
        if (limit == 7) {
          EXPECT_THROW(reader.read_line(limit), LimitError) << cut;
        }
        EXPECT_EQ("1234567", reader.read_line(8)) << cut;
      }
    }
  });
}

TEST_F(BufferedReaderTest, N61_SoItDoesForALastLineWithoutAnEnd) {
  run([] {
    ScriptedStream stream{"1234", "567"};
    stream.end();
    BufferedReader reader{stream};
    EXPECT_THROW(reader.read_line(7), LimitError) << "there is no room for an end";
    EXPECT_EQ("1234567", reader.read_line(8));
  });
}

// ---- Delimiters ---------------------------------------------------------------------------------

TEST_F(BufferedReaderTest, TheDelimiterIsIncluded) {
  run([] {
    ScriptedStream stream{"A: b\r\n\r\nbody--"};
    BufferedReader reader{stream};
    EXPECT_EQ("A: b\r\n\r\n", reader.read_until("\r\n\r\n"));
    EXPECT_EQ("body--", reader.read_until("--"));
    EXPECT_THROW(reader.read_until(""), std::invalid_argument);
    EXPECT_THROW(BufferedReader(stream, 0), std::invalid_argument);
  });
}

TEST_F(BufferedReaderTest, N62_ADelimiterThatComesByteByByteIsFound) {
  run([] {
    ScriptedStream stream;
    std::string all = "\r\r\n\r\r\n" + std::string(100, 'x') + "\r\n\r\n";
    for (const char& byte : all) stream.come({&byte, 1});
    BufferedReader reader{stream};
    EXPECT_EQ(all, reader.read_until("\r\n\r\n"));
  });
}

TEST_F(BufferedReaderTest, N62_AMebibyteByteByByteIsSearchedOnce) {
  run([] {
    // Beginning anew for each byte would compare half a million million times, and never end.
    constexpr std::size_t size = 1 << 20;
    class Dripping final : public Stream {
     public:
      std::size_t read_some(std::span<std::byte> into) override {
        checkpoint();
        into[0] = static_cast<std::byte>(count_ < size || count_ % 2 == 0 ? '\r' : '\n');
        ++count_;
        return 1;
      }
      void write_all(std::span<const ConstBytes>, std::size_t*) override {}
      void shutdown_write() override {}
      void close() override {}
      bool is_closed() const noexcept override { return false; }

     private:
      std::size_t count_ = 0;
    };
    Dripping stream;
    BufferedReader reader{stream, 2 * size};
    EXPECT_EQ(size + 4, reader.read_until("\r\n\r\n").size());
  });
}

TEST_F(BufferedReaderTest, AnEndBeforeTheDelimiterKeepsWhatCame) {
  run([] {
    ScriptedStream stream{"half"};
    stream.end();
    BufferedReader reader{stream};
    try {
      reader.read_until(";");
      ADD_FAILURE() << "must throw";
    } catch (const EndOfStreamError& error) {
      EXPECT_EQ(4u, error.got());
      EXPECT_TRUE(contains(error.what(), "ended after 4 bytes, before the delimiter"));
    }
    EXPECT_EQ("half", reader.read_all(100));
  });
}

// ---- So many bytes ------------------------------------------------------------------------------

TEST_F(BufferedReaderTest, N63_ACancelledReadExactlyLosesNothing) {
  for (const std::size_t size : {10ul, 20'000ul, 100'000ul}) {
    run([size] {
      const std::string all = pattern(size);
      ScriptedStream stream{std::string_view{all}.substr(0, 3)};
      BufferedReader reader{stream};
      std::array<std::byte, 1> first;
      reader.read_some(first);  // 2 bytes are in the buffer
      std::string rest(size - 1, '\0');
      auto task = create_task([&] { reader.read_exactly(as_space(rest)); });
      settle();
      stream.come(std::string_view{all}.substr(3, size / 2));
      settle();
      task.cancel();
      EXPECT_THROW(await(task), TaskCancelledException);
      rest.assign(size - 1, '\0');
      stream.come(std::string_view{all}.substr(3 + size / 2));
      reader.read_exactly(as_space(rest));
      EXPECT_TRUE(rest == all.substr(1));
    });
  }
}

TEST_F(BufferedReaderTest, N63_NorDoesOneThatMeetsTheEnd) {
  for (const std::size_t size : {10ul, 100'000ul}) {
    run([size] {
      const std::string all = pattern(size);
      ScriptedStream stream{all};
      stream.end();
      BufferedReader reader{stream};
      std::string more(size + 1, '\0');
      try {
        reader.read_exactly(as_space(more));
        ADD_FAILURE() << "must throw";
      } catch (const EndOfStreamError& error) {
        EXPECT_EQ(size, error.got());
      }
      EXPECT_TRUE(reader.read_all(size) == all);
    });
  }
}

TEST_F(BufferedReaderTest, N64_WhatIsLargerThanTheLimitCanBeReadExactly) {
  run([] {
    TcpPair pair = make_tcp_pair();
    const std::string all = pattern(1 << 20);
    auto writer = create_task([&] { pair.client.write_all("head\n" + all + "tail"); });
    BufferedReader reader{pair.server, 16};
    EXPECT_EQ("head", reader.read_line());
    std::string body(all.size(), '\0');
    reader.read_exactly(as_space(body));
    EXPECT_TRUE(body == all);
    await(writer);
    pair.client.shutdown_write();
    EXPECT_EQ("tail", reader.read_all(4));
  });
}

TEST_F(BufferedReaderTest, ReadAllKeepsWhatIsTooMuch) {
  run([] {
    ScriptedStream stream{"123", "45"};
    stream.end();
    BufferedReader reader{stream};
    EXPECT_THROW(reader.read_all(4), LimitError);
    EXPECT_EQ("12345", reader.read_all(5));
    EXPECT_EQ("", reader.read_all(0));
  });
}

TEST_F(BufferedReaderTest, ReadSomeGivesWhatIsThereAndWaitsOnlyForNothing) {
  run([] {
    ScriptedStream stream{"line\nrest"};
    BufferedReader reader{stream};
    reader.read_line();
    std::string some(20'000, '\0');
    EXPECT_EQ(0u, reader.read_some({}));
    EXPECT_EQ(4u, reader.read_some(as_space(some)));
    EXPECT_EQ("rest", some.substr(0, 4));
    stream.come("and more");
    EXPECT_EQ(8u, reader.read_some(as_space(some)));
    stream.end();
    EXPECT_EQ(0u, reader.read_some(as_space(some).first(5)));
  });
}

// ---- Checkpoints and other tasks ----------------------------------------------------------------

TEST_F(BufferedReaderTest, EachCallIsACheckpoint) {
  run([] {
    ScriptedStream stream{"a\nb\n"};
    BufferedReader reader{stream};
    reader.read_line();
    auto task = create_task([&] {
      current_task().cancel();
      reader.read_line();
    });
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ("b", reader.read_line());
  });
}

TEST_F(BufferedReaderTest, WhoAlwaysFindsALineLetsOthersRun) {
  run([] {
    ScriptedStream stream;
    for (int i = 0; i < 1'000; ++i) stream.come("a\nb\nc\nd\n");
    stream.end();
    BufferedReader reader{stream};
    int turns = 0;
    auto other = create_task([&] {
      for (;; ++turns) yield();
    });
    while (reader.read_line()) {
    }
    EXPECT_GT(turns, 10);
    other.cancel();
  });
}

TEST_F(BufferedReaderTest, ASecondTaskIsRefused) {
  run([] {
    ScriptedStream stream;
    BufferedReader reader{stream};
    auto task = create_task([&] { return std::string{*reader.read_line()}; });
    settle();
    const std::string said = message_of<BusyError>([&] { reader.read_line(); });
    EXPECT_TRUE(contains(said, "BufferedReader::read_line: another task is at work")) << said;
    EXPECT_THROW(reader.read_all(1), BusyError);
    stream.come("here\n");
    EXPECT_EQ("here", await(task));
  });
}

TEST_F(BufferedReaderTest, WhoWaitsForNothingHasNoMemory) {
  keep_order();  // to shuffle takes memory
  run([] {
    constexpr std::size_t count = 20;
    std::vector<TcpPair> pairs;
    std::vector<std::unique_ptr<BufferedReader>> readers;
    std::vector<Task<std::size_t>> tasks;
    for (std::size_t i = 0; i < count; ++i) pairs.push_back(make_tcp_pair());
    for (TcpPair& pair : pairs) {
      readers.push_back(std::make_unique<BufferedReader>(pair.server));
      tasks.push_back(create_task([&reader = *readers.back()] {
        std::size_t lines = 0;
        while (reader.read_line()) ++lines;
        return lines;
      }));
    }
    pairs[0].client.write_all("x\n");  // the loop's first block, and the tasks are waiting
    settle();
    const std::size_t before = allocations();
    for (int round = 0; round < 3; ++round) {
      for (TcpPair& pair : pairs) {
        pair.client.write_all("x\n");
        settle();
      }
    }
    EXPECT_EQ(before, allocations()) << "one block serves them all, one after the other";
    for (TcpPair& pair : pairs) pair.client.close();
    EXPECT_EQ(4u, await(tasks[0]));
    for (std::size_t i = 1; i < count; ++i) EXPECT_EQ(3u, await(tasks[i]));
  });
}

}  // namespace
}  // namespace asyncio::test
