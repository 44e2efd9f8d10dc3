// BufferedWriter.
#include <cerrno>
#include <optional>
#include <stdexcept>
#include <string>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tests/io/scripted_stream.h>
#include <asyncio/tests/io/tcp_pair.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class BufferedWriterTest : public LoopTest {};

constexpr std::size_t block = 16384;

TEST_F(BufferedWriterTest, SmallPiecesLeaveTogether) {
  run([] {
    ScriptedStream stream;
    BufferedWriter writer{stream};
    writer.write("one ");
    writer.write("two ");
    writer.write(bytes("three"));
    EXPECT_EQ(0, stream.writes);
    EXPECT_EQ(13u, writer.unflushed());
    writer.flush();
    EXPECT_EQ("one two three", stream.written);
    EXPECT_EQ(1, stream.writes);
    EXPECT_EQ(0u, writer.unflushed());
  });
}

TEST_F(BufferedWriterTest, AFullOneWritesByItself) {
  run([] {
    ScriptedStream stream;
    BufferedWriter writer{stream};
    const std::string all = pattern(block);
    writer.write(std::string_view{all}.substr(0, block - 1));
    EXPECT_EQ(0, stream.writes);
    writer.write(std::string_view{all}.substr(block - 1));
    EXPECT_EQ(1, stream.writes);
    EXPECT_TRUE(stream.written == all);
    const std::string large = pattern(5 * block);
    writer.write("small");
    writer.write(large);
    EXPECT_EQ(2, stream.writes) << "both leave in one";
    EXPECT_TRUE(stream.written == all + "small" + large);
  });
}

TEST_F(BufferedWriterTest, ACancelledWriteHasTakenTheTextWhole) {
  for (const std::size_t accepted : {0ul, 2ul, 5ul, 6ul, 20'000ul}) {
    run([accepted] {
      ScriptedStream stream;
      stream.accept(accepted);
      BufferedWriter writer{stream};
      const std::string large = pattern(3 * block);
      writer.write("small");
      auto task = create_task([&] { writer.write(large); });
      settle();
      task.cancel();
      EXPECT_THROW(await(task), TaskCancelledException);
      EXPECT_EQ(5 + large.size() - accepted, writer.unflushed());
      stream.accept(1 << 20);
      writer.flush();
      EXPECT_TRUE(stream.written == "small" + large);
    });
  }
}

TEST_F(BufferedWriterTest, OneCancelledBeforeItBeganHasTakenNothing) {
  run([] {
    ScriptedStream stream;
    BufferedWriter writer{stream};
    auto task = create_task([&] {
      current_task().cancel();
      writer.write("text");
    });
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ(0u, writer.unflushed());
  });
}

TEST_F(BufferedWriterTest, WhatADestructorLosesItTells) {
  run([] {
    ScriptedStream stream;
    { BufferedWriter{stream}.write("lost"); }
    EXPECT_EQ("", stream.written);
  });
  ASSERT_EQ(1u, reports.size());
  EXPECT_TRUE(contains(reports[0], "4 bytes were not flushed and are lost")) << reports[0];
  reports.clear();
}

TEST_F(BufferedWriterTest, UnlessAnExceptionHasToldAlready) {
  run([] {
    ScriptedStream stream;
    auto interrupted = create_task([&] {
      BufferedWriter writer{stream};
      writer.write("never mind");
      throw std::runtime_error("for another reason");
    });
    EXPECT_THROW(await(interrupted), std::runtime_error);
    stream.accept(0);
    stream.fail_when_full(EPIPE);
    BufferedWriter writer{stream};
    writer.write("nor this");
    EXPECT_THROW(writer.flush(), IoError);
    EXPECT_EQ(8u, writer.unflushed());
  });
}

TEST_F(BufferedWriterTest, ASecondTaskIsRefused) {
  run([] {
    ScriptedStream stream;
    stream.accept(0);
    BufferedWriter writer{stream};
    writer.write("first");
    auto task = create_task([&] { writer.flush(); });
    settle();
    const std::string said = message_of<BusyError>([&] { writer.write("second"); });
    EXPECT_TRUE(contains(said, "BufferedWriter::write: another task is at work")) << said;
    EXPECT_THROW(writer.flush(), BusyError);
    stream.accept(100);
    await(task);
    EXPECT_EQ("first", stream.written);
  });
}

TEST_F(BufferedWriterTest, CloseFlushesAndClosesTheStream) {
  run([] {
    ScriptedStream stream;
    BufferedWriter writer{stream};
    writer.write("bye");
    writer.close();
    EXPECT_EQ("bye", stream.written);
    EXPECT_TRUE(stream.is_closed());
    writer.close();
  });
}

TEST_F(BufferedWriterTest, CloseKeepsCancelsOut) {
  run([] {
    ScriptedStream stream;
    stream.accept(1);
    BufferedWriter writer{stream};
    writer.write("bye");
    auto task = create_task([&] { writer.close(); });
    settle();
    task.cancel();
    settle();
    EXPECT_FALSE(task.is_done());
    stream.accept(100);
    await(task);
    EXPECT_EQ("bye", stream.written);
  });
}

TEST_F(BufferedWriterTest, CloseWaitsForAStuckPeerASecondAtMost) {
  run([this] {
    ScriptedStream stream;
    stream.accept(1);
    BufferedWriter writer{stream};
    writer.write("bye");
    EXPECT_THROW(writer.close(), TimeoutException);
    EXPECT_EQ(Duration{1s}, elapsed());
    EXPECT_TRUE(stream.is_closed());
    writer.close();
  });
}

TEST_F(BufferedWriterTest, CloseEndsAnotherTasksWrite) {
  run([] {
    ScriptedStream stream;
    stream.accept(1);
    BufferedWriter writer{stream};
    writer.write("bye");
    auto task = create_task([&] { writer.flush(); });
    settle();
    writer.close();
    EXPECT_THROW(await(task), ClosedError);
    EXPECT_EQ(2u, writer.unflushed());
  });
}

TEST_F(BufferedWriterTest, AnEmptyFlushIsACheckpointAndWritesNothing) {
  run([] {
    TcpPair pair = make_tcp_pair();
    BufferedWriter writer{pair.client};
    writer.flush();
    writer.write("");
    auto task = create_task([&] {
      current_task().cancel();
      writer.flush();
    });
    EXPECT_THROW(await(task), TaskCancelledException);
  });
}

}  // namespace
}  // namespace asyncio::test
