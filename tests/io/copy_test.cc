// copy() and copy_both().
#include <array>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tests/io/scripted_stream.h>
#include <asyncio/tests/io/system_calls.h>
#include <asyncio/tests/io/tcp_pair.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class CopyTest : public LoopTest {
 protected:
  /// A task that writes `all` and ends the stream.
  static Task<void> feed(Stream& into, std::string_view all) {
    return create_task([&into, all] {
      into.write_all(all);
      into.shutdown_write();
    });
  }

  std::array<std::byte, 64> buffer;
};

// ---- One way ------------------------------------------------------------------------------------

TEST_F(CopyTest, ItGoesOnToTheEndAndEndsNeither) {
  run([this] {
    TcpPair in = make_tcp_pair();
    TcpPair out = make_tcp_pair();
    in.client.write_all("all that there is");
    in.client.shutdown_write();
    EXPECT_EQ(17u, copy(in.server, out.client));
    out.client.write_all(", and more");
    EXPECT_EQ("all that there is, and more", read_exactly(out.server, 27));
    in.server.write_all("back");
    EXPECT_EQ(4u, in.client.read_some(buffer));
  });
}

TEST_F(CopyTest, OneStreamMayBeBothForAnEcho) {
  run([] {
    TcpPair pair = make_tcp_pair();
    auto echo = create_task([&] { return copy(pair.server, pair.server); });
    pair.client.write_all("hello");
    EXPECT_EQ("hello", read_exactly(pair.client, 5));
    pair.client.shutdown_write();
    EXPECT_EQ(5u, await(std::move(echo)));
  });
}

TEST_F(CopyTest, SmallPiecesAreTwoSystemCallsEach) {
  run([this] {
    TcpPair pair = make_tcp_pair();
    auto echo = create_task([&] { copy(pair.server, pair.server); });
    pair.client.write_all("warm");
    EXPECT_EQ(4u, pair.client.read_some(buffer));
    const std::size_t before = times(Call::recv) + times(Call::send) + times(Call::splice);
    for (int i = 0; i < 100; ++i) {
      pair.client.write_all("ping");
      EXPECT_EQ(4u, pair.client.read_some(buffer));
    }
    const std::size_t after = times(Call::recv) + times(Call::send) + times(Call::splice);
    EXPECT_LE(after - before, 402u) << "two of the client's and two of the copy's";
    pair.client.shutdown_write();
    await(std::move(echo));
  });
}

TEST_F(CopyTest, MuchGoesThroughTheKernel) {
  run([] {
    TcpPair in = make_tcp_pair();
    auto [reader, writer] = make_pipe();
    const std::string all = pattern(16 << 20);
    auto feeding = feed(in.client, all);
    const std::size_t before = times(Call::splice);
    auto copying = create_task([&, &writer = writer] {
      const std::uint64_t copied = copy(in.server, writer);
      writer.close();
      return copied;
    });
    EXPECT_TRUE(read_to_end(reader) == all);
    EXPECT_EQ(all.size(), await(std::move(copying)));
    EXPECT_LT(before + 10, times(Call::splice));
    await(std::move(feeding));
  });
}

TEST_F(CopyTest, WhatTheKernelCannotMoveGoesByHand) {
  // First when it is to be taken up, then when it is to be put down.
  for (const std::size_t spared : {0, 1}) {
    run([spared] {
      TcpPair in = make_tcp_pair();
      TcpPair out = make_tcp_pair();
      const std::string all = pattern(4 << 20);
      auto feeding = feed(in.client, all);
      fail_after(Call::splice, spared, EINVAL);
      auto copying = create_task([&] {
        copy(in.server, out.client);
        out.client.shutdown_write();
      });
      EXPECT_TRUE(read_to_end(out.server) == all);
      await(std::move(copying));
      await(std::move(feeding));
    });
  }
}

TEST_F(CopyTest, AnyStreamWillDo) {
  run([] {
    ScriptedStream from{"some", " pieces"};
    from.end();
    TcpPair out = make_tcp_pair();
    EXPECT_EQ(11u, copy(from, out.client));
    EXPECT_EQ("some pieces", read_exactly(out.server, 11));
  });
}

TEST_F(CopyTest, N12_AnAlwaysReadyPairLeavesRoomForOthers) {
  run([] {
    const auto device = [](const char* path, int access) {
      return ::open(path, access | O_CLOEXEC | O_NONBLOCK);
    };
    PipeReader endless = PipeReader::adopt(device("/dev/zero", O_RDONLY));
    PipeWriter bottomless = PipeWriter::adopt(device("/dev/null", O_WRONLY));
    auto copying = create_task([&] { copy(endless, bottomless); });
    for (int i = 0; i < 20; ++i) yield();
    EXPECT_FALSE(copying.is_done());
    copying.cancel();
    EXPECT_THROW(await(copying), TaskCancelledException);
  });
}

// ---- A target that is full, or gone -------------------------------------------------------------

TEST_F(CopyTest, N74_AFullPipeIsWaitedFor) {
  run([] {
    TcpPair in = make_tcp_pair();
    auto [reader, writer] = make_pipe();
    const std::string all = pattern(8 << 20);
    auto feeding = feed(in.client, all);
    auto copying = create_task([&, &writer = writer] {
      copy(in.server, writer);
      writer.close();
    });
    settle();
    EXPECT_FALSE(copying.is_done());
    const std::uint64_t turns = get_event_loop().statistics().turns;
    const std::size_t calls = times(Call::splice);
    sleep(1h);
    EXPECT_LE(get_event_loop().statistics().turns, turns + 10);
    EXPECT_LE(times(Call::splice), calls + 10);
    EXPECT_TRUE(read_to_end(reader) == all);
    await(std::move(copying));
    await(std::move(feeding));
  });
}

TEST_F(CopyTest, N74_ATargetThatIsGoneIsAnErrorAndNoSignal) {
  run([] {
    TcpPair in = make_tcp_pair();
    TcpPair out = make_tcp_pair();
    const std::string all(64 << 20, 'x');  // more than the kernel has room for
    auto feeding = feed(in.client, all);
    auto copying = create_task([&] { copy(in.server, out.client); });
    settle();
    ASSERT_FALSE(copying.is_done());
    out.server.reset();
    EXPECT_THROW(await(copying), IoError);
    in.server.reset();
    EXPECT_THROW(await(feeding), IoError);
  });
}

TEST_F(CopyTest, N74_ASplicedPipeWithoutAReaderRaisesNoSignal) {
  run([] {
    TcpPair in = make_tcp_pair();
    auto [reader, writer] = make_pipe();
    const std::string all(64 << 20, 'x');  // more than the kernel has room for
    auto feeding = feed(in.client, all);
    auto copying = create_task([&, &writer = writer] { copy(in.server, writer); });
    settle();
    ASSERT_FALSE(copying.is_done());
    reader.close();
    EXPECT_THROW(await(copying), IoError);
    in.server.reset();
    EXPECT_THROW(await(feeding), IoError);
  });
}

// ---- Cancelled ----------------------------------------------------------------------------------

TEST_F(CopyTest, N74_ACancelledCopyWritesWhatItHasRead) {
  // By hand, and through the kernel.
  for (const std::size_t size : {std::size_t{1} << 12, std::size_t{4} << 20}) {
    run([size] {
      TcpPair in = make_tcp_pair();
      auto [reader, writer] = make_pipe();
      const std::string filler(1 << 20, 'f');
      std::size_t filled = 0;
      auto filling = create_task([&, &writer = writer] { writer.write_all(filler, &filled); });
      settle();
      filling.cancel();  // nothing more goes into the pipe
      EXPECT_THROW(await(filling), TaskCancelledException);
      // Room for what goes by hand at first, and not for all that the kernel has taken up then.
      if (size > 1 << 14) filled -= read_exactly(reader, 32768).size();
      const std::string all = pattern(size);
      auto feeding = feed(in.client, all);
      auto copying = create_task([&, &writer = writer] { copy(in.server, writer); });
      settle();
      EXPECT_FALSE(copying.is_done());
      copying.cancel();
      auto reading = create_task([&, &reader = reader] { return read_to_end(reader); });
      EXPECT_THROW(await(copying), TaskCancelledException);
      writer.close();
      const std::string got = await(std::move(reading)).substr(filled);
      EXPECT_LT(0u, got.size());
      EXPECT_TRUE(got + read_to_end(in.server) == all) << got.size();
      await(std::move(feeding));
    });
  }
}

TEST_F(CopyTest, N74_WhatACancelledCopyCannotWriteIsReported) {
  run([this] {
    ScriptedStream from{"twelve bytes"};
    ScriptedStream to;
    to.accept(2);
    auto copying = create_task([&] { copy(from, to); });
    settle();
    copying.cancel();
    EXPECT_THROW(await(copying), TaskCancelledException);
    EXPECT_EQ(Duration{1s}, elapsed());
    ASSERT_EQ(1u, reports.size());
    EXPECT_TRUE(contains(reports[0], "10 bytes that it had read could not be written"))
        << reports[0];
    reports.clear();
  });
}

// ---- Both ways ----------------------------------------------------------------------------------

TEST_F(CopyTest, N73_WhereOneWayEndsTheOtherGoesOn) {
  run([this] {
    TcpPair left = make_tcp_pair();
    TcpPair right = make_tcp_pair();
    auto both = create_task([&] { copy_both(left.server, right.client); });
    left.client.write_all("question");
    left.client.shutdown_write();
    EXPECT_EQ("question", read_to_end(right.server));
    EXPECT_FALSE(both.is_done());
    right.server.write_all("answer");
    EXPECT_EQ("answer", read_exactly(left.client, 6));
    right.server.close();
    EXPECT_EQ(0u, left.client.read_some(buffer));
    await(std::move(both));
  });
}

TEST_F(CopyTest, N73_AResetEndsBothAtOnce) {
  run([] {
    TcpPair left = make_tcp_pair();
    TcpPair right = make_tcp_pair();
    auto both = create_task([&] { copy_both(left.server, right.client); });
    settle();
    left.client.reset();
    try {
      await(both);
      ADD_FAILURE() << "must throw";
    } catch (const IoError& error) {
      EXPECT_EQ(std::errc::connection_reset, error.code());
    }
    right.server.write_all("the stream is as good as before");
    EXPECT_EQ(31u, read_exactly(right.client, 31).size());
  });
}

TEST_F(CopyTest, N73_CancelledItEndsBothAndTheStreamsAreAsGoodAsBefore) {
  run([] {
    TcpPair left = make_tcp_pair();
    TcpPair right = make_tcp_pair();
    auto both = create_task([&] { copy_both(left.server, right.client); });
    left.client.write_all("x");
    read_exactly(right.server, 1);
    both.cancel();
    EXPECT_THROW(await(both), TaskCancelledException);
    left.server.write_all("still there");
    EXPECT_EQ("still there", read_exactly(left.client, 11));
  });
}

}  // namespace
}  // namespace asyncio::test
