// standard_input(), standard_output() and standard_error().
#include <array>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/io/internal/blocking_io.h>
#include <asyncio/io/internal/standard_end.h>
#include <asyncio/tests/io/system_calls.h>
#include <asyncio/tests/io/tcp_pair.h>
#include <asyncio/tests/io/temporary_folder.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using lowlevel::Direction;

/// While one is alive, a standard descriptor stands for something else.
class InPlaceOf {
 public:
  InPlaceOf(int fd, int instead) : fd_(fd), kept_(::fcntl(fd, F_DUPFD_CLOEXEC, 3)) {
    std::fflush(nullptr);
    ::dup2(instead, fd);
  }
  ~InPlaceOf() { ::dup2(kept_.get(), fd_); }
  InPlaceOf(const InPlaceOf&) = delete;
  InPlaceOf& operator=(const InPlaceOf&) = delete;

 private:
  int fd_;
  Fd kept_;
};

/// Two descriptors that block, as a shell would make them.
struct BlockingPair {
  static BlockingPair of_pipe() {
    std::array<int, 2> fds{-1, -1};
    EXPECT_EQ(0, ::pipe2(fds.data(), O_CLOEXEC));
    return {Fd{fds[0]}, Fd{fds[1]}};
  }
  static BlockingPair of_sockets() {
    std::array<int, 2> fds{-1, -1};
    EXPECT_EQ(0, ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()));
    return {Fd{fds[0]}, Fd{fds[1]}};
  }
  /// What is written into the second comes out of the first, a terminal, line by line.
  static BlockingPair of_terminal() {
    Fd master{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
    EXPECT_EQ(0, ::grantpt(master.get()));
    EXPECT_EQ(0, ::unlockpt(master.get()));
    std::array<char, 64> name{};
    EXPECT_EQ(0, ::ptsname_r(master.get(), name.data(), name.size()));
    return {Fd{::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC)}, std::move(master)};
  }

  void write(std::string_view text) const {
    EXPECT_EQ(static_cast<ssize_t>(text.size()), ::write(in.get(), text.data(), text.size()));
  }
  std::string read() const {
    std::string text(64, '\0');
    const ssize_t got = ::read(out.get(), text.data(), text.size());
    return text.substr(0, got < 0 ? 0 : static_cast<std::size_t>(got));
  }

  Fd out;
  Fd in;
};

int flags_of(int fd) { return ::fcntl(fd, F_GETFL); }

class StandardStreamsTest : public LoopTest {
 protected:
  std::string read(Stream& from) {
    const std::size_t got = from.read_some(buffer);
    return std::string{text(ConstBytes{buffer}.first(got))};
  }

  /// A reader that is cancelled comes back at once, and what comes then is for the next one.
  void expect_nothing_is_lost(const BlockingPair& pair) {
    const int before = flags_of(pair.out.get());
    PipeReader input{detail::open_standard(pair.out.get(), Direction::read, "the test")};
    pair.write("one\n");
    EXPECT_EQ("one\n", read(input));
    auto reading = create_task([&] { read(input); });
    settle();
    EXPECT_FALSE(reading.is_done());
    EXPECT_EQ(before, flags_of(pair.out.get()));
    EXPECT_EQ(0, before & O_NONBLOCK);
    reading.cancel();
    EXPECT_THROW(await(reading), TaskCancelledException);
    pair.write("two\n");
    EXPECT_EQ("two\n", read(input));
  }

  std::array<std::byte, 64> buffer;
};

TEST_F(StandardStreamsTest, N75_APipeKeepsItsFlagsAndACancelledReadLosesNothing) {
  run([this] { expect_nothing_is_lost(BlockingPair::of_pipe()); });
}

TEST_F(StandardStreamsTest, N75_SoDoesASocket) {
  run([this] { expect_nothing_is_lost(BlockingPair::of_sockets()); });
}

TEST_F(StandardStreamsTest, N75_SoDoesATerminal) {
  run([this] { expect_nothing_is_lost(BlockingPair::of_terminal()); });
}

TEST_F(StandardStreamsTest, N75_StandardInputReadsWhatIsDescriptorZero) {
  run([this] {
    BlockingPair pair = BlockingPair::of_pipe();
    const InPlaceOf in_place{0, pair.out.get()};
    pair.write("for the program");
    EXPECT_EQ("for the program", read(standard_input()));
    EXPECT_EQ(&standard_input(), &standard_input());
    pair.in = Fd{};
    EXPECT_EQ("", read(standard_input()));
    standard_input().close();
    EXPECT_THROW(read(standard_input()), ClosedError);
    EXPECT_LE(0, flags_of(0)) << "it is for those who come after";
  });
}

TEST_F(StandardStreamsTest, N75_StandardOutputAndErrorWriteToOneAndTwo) {
  run([] {
    const BlockingPair output = BlockingPair::of_pipe();
    const BlockingPair error = BlockingPair::of_sockets();
    {
      const InPlaceOf one{1, output.in.get()};
      const InPlaceOf two{2, error.in.get()};
      standard_output().write_all("result");
      standard_error().write_all("remark");
    }
    EXPECT_EQ("result", output.read());
    EXPECT_EQ("remark", error.read());
    EXPECT_EQ(0, flags_of(output.in.get()) & O_NONBLOCK);
    EXPECT_EQ(0, flags_of(error.in.get()) & O_NONBLOCK);
  });
}

TEST_F(StandardStreamsTest, N75_AFileGoesOnWhereOthersHaveCome) {
  run([this] {
    const TemporaryFolder folder;
    const Fd file{
        ::open(folder.file("out").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR)};
    ASSERT_EQ(6, ::write(file.get(), "shell\n", 6));
    PipeWriter output{detail::open_standard(file.get(), Direction::write, "the test")};
    output.write_all("program\n");
    ASSERT_EQ(6, ::write(file.get(), "shell\n", 6));
    ASSERT_EQ(6, ::lseek(file.get(), 6, SEEK_SET));
    PipeReader input{detail::open_standard(file.get(), Direction::read, "the test")};
    EXPECT_EQ("program\nshell\n", read(input));
    EXPECT_EQ("", read(input));
    EXPECT_EQ(nullptr, input.channel(Direction::read)) << "nobody may take its descriptor for it";
  });
}

// ---- By a thread --------------------------------------------------------------------------------

detail::PipeEnd by_thread(int fd) {
  auto io = std::make_shared<detail::BlockingIo>(fd, "the test");
  Fd bell = io->make_bell("the test");
  return {std::move(bell).release(), "the test", std::move(io)};
}

TEST_F(StandardStreamsTest, N75_AThreadThatACancelledReadLeavesReadsForTheNext) {
  run([this] {
    const BlockingPair pair = BlockingPair::of_terminal();
    PipeReader input{by_thread(pair.out.get())};
    for (int i = 0; i < 3; ++i) {
      auto reading = create_task([&] { read(input); });
      settle();
      EXPECT_FALSE(reading.is_done());
      reading.cancel();
      EXPECT_THROW(await(reading), TaskCancelledException);
    }
    pair.write("one\n");
    EXPECT_EQ("one\n", read(input));
    pair.write("two\n");
    EXPECT_EQ("two\n", read(input));
    EXPECT_EQ(0, flags_of(pair.out.get()) & O_NONBLOCK);
  });
}

TEST_F(StandardStreamsTest, N75_AThreadWritesWhatACancelledWriteGaveIt) {
  run([] {
    const BlockingPair pair = BlockingPair::of_pipe();
    PipeWriter output{by_thread(pair.in.get())};
    const std::string all = pattern(1 << 20);
    std::size_t accepted = 0;
    auto writing = create_task([&] { output.write_all(all, &accepted); });
    while (accepted <= 65536) yield();  // the pipe is full, and a thread has more
    settle();
    writing.cancel();
    EXPECT_THROW(await(writing), TaskCancelledException);
    auto rest = create_task([&] {
      output.write_all(std::string_view{all}.substr(accepted));
      output.write_all("END");
    });
    PipeReader reader{detail::open_standard(pair.out.get(), Direction::read, "the test")};
    EXPECT_TRUE(read_exactly(reader, all.size()) == all);
    EXPECT_EQ("END", read_exactly(reader, 3));
    await(std::move(rest));
  });
}

TEST_F(StandardStreamsTest, N7_AThreadThatWritesWhereNobodyReadsReportsIt) {
  run([] {
    BlockingPair pair = BlockingPair::of_pipe();
    PipeWriter output{by_thread(pair.in.get())};
    const std::string much(1 << 20, 'x');
    std::size_t accepted = 0;
    auto writing = create_task([&] { output.write_all(much, &accepted); });
    while (accepted <= 65536) yield();
    pair.out = Fd{};
    EXPECT_THROW(await(writing), IoError);
    EXPECT_THROW(output.write_all("x"), IoError);
  });
}

TEST_F(StandardStreamsTest, N5_AReadByAThreadEndsWhenItIsClosed) {
  run([this] {
    const BlockingPair pair = BlockingPair::of_terminal();
    PipeReader input{by_thread(pair.out.get())};
    auto reading = create_task([&] { read(input); });
    settle();
    input.close();
    EXPECT_THROW(await(reading), ClosedError);
    pair.write("so that the thread ends\n");
  });
}

// ---- Whose they are -----------------------------------------------------------------------------

TEST_F(StandardStreamsTest, TheyBelongToTheLoopThatFirstAsked) {
  run([] {
    const BlockingPair pair = BlockingPair::of_pipe();
    const InPlaceOf in_place{0, pair.out.get()};
    standard_input();
    std::string said;
    std::thread{[&] {
      EventLoop other{make_backend("select")};
      other.run([&] { said = message_of<InvalidStateError>([] { standard_input(); }); });
    }}.join();
    EXPECT_TRUE(contains(said, "standard_input: another loop has it")) << said;
  });
}

TEST_F(StandardStreamsTest, WhatIsNotOpenIsRefused) {
  run([] { EXPECT_THROW(detail::open_standard(1 << 20, Direction::read, "the test"), IoError); });
}

}  // namespace
}  // namespace asyncio::test
