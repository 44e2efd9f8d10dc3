// PipeReader and PipeWriter.
#include <array>
#include <cerrno>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/io/internal/sigpipe.h>
#include <asyncio/tests/io/tcp_pair.h>
#include <asyncio/tests/io/temporary_folder.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class PipeTest : public LoopTest {
 protected:
  std::array<std::byte, 64> buffer;
};

/// As on a kernel without RWF_NOSIGNAL.
class OlderKernel {
 public:
  OlderKernel() { detail::kernel_takes_nosignal = false; }
  ~OlderKernel() { detail::kernel_takes_nosignal = true; }
  OlderKernel(const OlderKernel&) = delete;
  OlderKernel& operator=(const OlderKernel&) = delete;
};

bool is_sigpipe_pending() {
  sigset_t pending;
  ::sigpending(&pending);
  return ::sigismember(&pending, SIGPIPE) == 1;
}

void expect_broken_pipe() {
  auto [reader, writer] = make_pipe();
  reader.close();
  try {
    writer.write_all("nobody reads this");
    ADD_FAILURE() << "must throw";
  } catch (const IoError& error) {
    EXPECT_EQ(std::errc::broken_pipe, error.code());
    EXPECT_TRUE(contains(error.what(), "PipeWriter::write_all")) << error.what();
  }
  EXPECT_FALSE(is_sigpipe_pending());
}

TEST_F(PipeTest, WhatGoesInComesOut) {
  run([] {
    auto [reader, writer] = make_pipe();
    EXPECT_EQ(FD_CLOEXEC, ::fcntl(reader.fd(), F_GETFD));
    EXPECT_EQ(FD_CLOEXEC, ::fcntl(writer.fd(), F_GETFD));
    const std::string all = pattern(4 << 20);
    auto writing = create_task([&, &writer = writer] {
      const std::array halves{bytes(std::string_view{all}.substr(0, 1 << 20)),
                              bytes(std::string_view{all}.substr(1 << 20))};
      writer.write_all(halves);
      writer.shutdown_write();
    });
    EXPECT_TRUE(read_to_end(reader) == all);
    await(std::move(writing));
  });
}

TEST_F(PipeTest, N1_ACancelledWriteTellsWhatTheReaderGets) {
  run([] {
    auto [reader, writer] = make_pipe();
    const std::string all = pattern(4 << 20);
    std::size_t accepted = 0;
    auto writing = create_task([&, &writer = writer] { writer.write_all(all, &accepted); });
    settle();
    writing.cancel();
    EXPECT_THROW(await(writing), TaskCancelledException);
    EXPECT_LT(0u, accepted);
    auto rest = create_task([&, &writer = writer] {
      writer.write_all(std::string_view{all}.substr(accepted));
      writer.close();
    });
    EXPECT_TRUE(read_to_end(reader) == all);
    await(std::move(rest));
  });
}

TEST_F(PipeTest, N3_N4_OneTaskReadsAndOneWrites) {
  run([this] {
    auto [reader, writer] = make_pipe();
    auto reading = create_task([&, &reader = reader] { return reader.read_some(buffer); });
    settle();
    EXPECT_THROW(reader.read_some(buffer), BusyError);
    writer.write_all("x");
    EXPECT_EQ(1u, await(std::move(reading)));
    const std::string much(4 << 20, 'x');
    auto writing = create_task([&, &writer = writer] { writer.write_all(much); });
    settle();
    EXPECT_THROW(writer.write_all("y"), BusyError);
    EXPECT_THROW(writer.shutdown_write(), BusyError);
    writing.cancel();
    EXPECT_THROW(await(writing), TaskCancelledException);
  });
}

TEST_F(PipeTest, N5_ClosingIsToldToWhoIsInACall) {
  run([this] {
    auto [reader, writer] = make_pipe();
    auto reading = create_task([&, &reader = reader] { reader.read_some(buffer); });
    settle();
    reader.close();
    EXPECT_THROW(await(reading), ClosedError);
    EXPECT_TRUE(reader.is_closed());
    EXPECT_THROW(reader.read_some(buffer), ClosedError);
    reader.close();
    writer.close();
    EXPECT_THROW(writer.write_all("x"), ClosedError);
  });
}

TEST_F(PipeTest, N7_WritingWhereNobodyReadsIsAnErrorAndNoSignal) {
  run([] { expect_broken_pipe(); });
}

TEST_F(PipeTest, N7_AlsoOnAKernelThatCannotLeaveTheSignalOut) {
  run([this] {
    const OlderKernel older;
    expect_broken_pipe();
    auto [reader, writer] = make_pipe();
    writer.write_all("and works");
    EXPECT_EQ(9u, reader.read_some(buffer));
  });
}

TEST_F(PipeTest, N7_ASignalThatWasPendingBeforeStaysPending) {
  run([] {
    const OlderKernel older;
    sigset_t only, before;
    ::sigemptyset(&only);
    ::sigaddset(&only, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &only, &before);
    ::pthread_kill(::pthread_self(), SIGPIPE);
    auto [reader, writer] = make_pipe();
    reader.close();
    EXPECT_THROW(writer.write_all("x"), IoError);
    EXPECT_TRUE(is_sigpipe_pending());
    const timespec at_once{};
    EXPECT_EQ(SIGPIPE, ::sigtimedwait(&only, nullptr, &at_once));
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  });
}

TEST_F(PipeTest, N10_AReaderThatGoesEndsAWriteThatWaits) {
  run([] {
    auto [reader, writer] = make_pipe();
    const std::string much(4 << 20, 'x');
    auto writing = create_task([&, &writer = writer] { writer.write_all(much); });
    settle();
    reader.close();
    EXPECT_THROW(await(writing), IoError);
    const std::uint64_t turns = get_event_loop().statistics().turns;
    sleep(1h);
    EXPECT_LE(get_event_loop().statistics().turns, turns + 10);
  });
}

TEST_F(PipeTest, N13_TheIdleTimeoutIsForSilence) {
  run([this] {
    auto [reader, writer] = make_pipe();
    reader.set_idle_timeout(5s);
    EXPECT_THROW(reader.read_some(buffer), TimeoutException);
    EXPECT_EQ(Duration{5s}, elapsed());
    writer.write_all("x");
    EXPECT_EQ(1u, reader.read_some(buffer));
    EXPECT_THROW(writer.set_idle_timeout(0s), std::invalid_argument);
  });
}

TEST_F(PipeTest, TheOtherDirectionIsAnErrorThatTeaches) {
  run([this] {
    auto [reader, writer] = make_pipe();
    std::size_t accepted = 1;
    EXPECT_TRUE(contains(
        message_of<InvalidStateError>([&, &reader = reader] { reader.write_all("x", &accepted); }),
        "write to the PipeWriter"));
    EXPECT_EQ(0u, accepted);
    EXPECT_THROW(reader.shutdown_write(), InvalidStateError);
    EXPECT_THROW(writer.read_some(buffer), InvalidStateError);
    EXPECT_THROW(writer.wait_readable(), InvalidStateError);
  });
}

TEST_F(PipeTest, MovedWhileATaskReadsItIsReadWhereItIs) {
  run([this] {
    auto [reader, writer] = make_pipe();
    auto reading = create_task([&, &reader = reader] { return reader.read_some(buffer); });
    settle();
    const PipeReader moved = std::move(reader);
    writer.write_all("moved");
    EXPECT_EQ(5u, await(std::move(reading)));
  });
}

TEST_F(PipeTest, ReleasedAndAdoptedItGoesOn) {
  run([this] {
    auto [reader, writer] = make_pipe();
    writer.write_all("on");
    PipeReader adopted = PipeReader::adopt(std::move(reader).release());
    EXPECT_EQ(2u, adopted.read_some(buffer));
    PipeWriter again = PipeWriter::adopt(std::move(writer).release());
    again.write_all("and on");
    EXPECT_EQ(6u, adopted.read_some(buffer));
    EXPECT_EQ(-1, std::move(reader).release());
  });
}

TEST_F(PipeTest, WhatIsNoSuchEndIsNotAdopted) {
  run([] {
    auto [reader, writer] = make_pipe();
    EXPECT_TRUE(contains(message_of<std::invalid_argument>(
                             [&, &writer = writer] { PipeReader::adopt(writer.fd()); }),
                         "it is not the reading end of a pipe"));
    EXPECT_THROW(PipeWriter::adopt(reader.fd()), std::invalid_argument);
    EXPECT_THROW(PipeReader::adopt(-1), IoError);
    const Fd file{::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)};
    EXPECT_THROW(PipeReader::adopt(file.get()), std::invalid_argument);
    writer.write_all("both are as they were");
  });
}

}  // namespace
}  // namespace asyncio::test
