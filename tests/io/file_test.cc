// File, read_file(), write_file() and send_file().
#include <array>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tests/io/system_calls.h>
#include <asyncio/tests/io/tcp_pair.h>
#include <asyncio/tests/io/temporary_folder.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

constexpr FileOptions new_file{.read = true, .write = true, .create = true};

class FileTest : public LoopTest {
 protected:
  std::string read(const File& file, std::uint64_t offset, std::size_t size) {
    std::string all(size, '\0');
    all.resize(file.read_at(std::as_writable_bytes(std::span{all}), offset));
    return all;
  }

  TemporaryFolder folder;
};

TEST_F(FileTest, WhatIsWrittenIsRead) {
  run([this] {
    File file = File::open(folder.file("new"), new_file);
    EXPECT_EQ(FD_CLOEXEC, ::fcntl(file.fd(), F_GETFD));
    EXPECT_EQ(0u, file.size());
    file.write_at("hello", 0);
    file.write_at("world", 6);
    file.sync();
    EXPECT_EQ(11u, file.size());
    EXPECT_EQ((std::string_view{"hello\0world", 11}), read(file, 0, 100));
    EXPECT_EQ("wor", read(file, 6, 3));
    EXPECT_EQ("", read(file, 11, 3));
    EXPECT_EQ("", read(file, 0, 0));
    file.close();
    file.close();
    EXPECT_TRUE(file.is_closed());
    EXPECT_EQ(-1, file.fd());
    EXPECT_THROW(file.size(), ClosedError);
    EXPECT_THROW(read(file, 0, 1), ClosedError);
    EXPECT_THROW(file.write_at("x", 0), ClosedError);
  });
}

TEST_F(FileTest, WhatIsInMemoryIsReadByOneCallAndWithoutAThread) {
  run([this] {
    write_file(folder.file("cached"), pattern(100'000));
    const File file = File::open(folder.file("cached"));
    read(file, 0, 100'000);
    const std::size_t before = times(Call::preadv2);
    const ExpectNoSuspend no_thread;
    EXPECT_TRUE(read(file, 0, 100'000) == pattern(100'000));
    EXPECT_EQ(1u, times(Call::preadv2) - before);
  });
}

TEST_F(FileTest, WhatIsNotInMemoryIsReadByAThread) {
  run([this] {
    write_file(folder.file("cold"), pattern(100'000));
    const File file = File::open(folder.file("cold"));
    fail_next(Call::preadv2, EAGAIN);
    const ExpectSuspends by_a_thread;
    EXPECT_TRUE(read(file, 0, 200'000) == pattern(100'000));
  });
}

TEST_F(FileTest, ACancelComesAfterTheCallWhichHasItsEffect) {
  run([this] {
    const File file = File::open(folder.file("new"), new_file);
    bool came_back = false;
    auto writing = create_task([&] {
      file.write_at("all of it", 0);
      came_back = true;
      checkpoint();
    });
    yield();
    writing.cancel();
    EXPECT_THROW(await(writing), TaskCancelledException);
    EXPECT_TRUE(came_back);
    EXPECT_EQ("all of it", read(file, 0, 100));
  });
}

TEST_F(FileTest, N76_WhatWriteAtHasWrittenIsThereForAnybody) {
  run([this] {
    const File file = File::open(folder.file("new"), new_file);
    file.write_at("there", 0);
    const Fd other{::open(folder.file("new").c_str(), O_RDONLY | O_CLOEXEC)};
    std::array<char, 8> got{};
    ASSERT_EQ(5, ::read(other.get(), got.data(), got.size()));
    EXPECT_EQ("there", std::string_view{got.data()});
  });
}

TEST_F(FileTest, N76_AFullDiskFailsTheCallThatMeetsIt) {
  run([] {
    File file = File::open("/dev/full", {.write = true});
    try {
      file.write_at("too much", 0);
      ADD_FAILURE() << "must throw";
    } catch (const IoError& error) {
      EXPECT_EQ(std::errc::no_space_on_device, error.code());
      EXPECT_TRUE(contains(error.what(), "File::write_at")) << error.what();
    }
    EXPECT_THROW(write_file("/dev/full", "too much"), IoError);
    file.close();
  });
}

TEST_F(FileTest, OpeningSaysWhatIsWrong) {
  run([this] {
    const std::string said = message_of<IoError>([this] { File::open(folder.file("nothing")); });
    EXPECT_TRUE(contains(said, "nothing): No such file")) << said;
    write_file(folder.file("old"), "text");
    EXPECT_THROW(File::open(folder.file("old"), {.write = true, .create = true, .exclusive = true}),
                 IoError);
    EXPECT_THROW(File::open(folder.file("old"), {.truncate = true}), std::invalid_argument);
    EXPECT_THROW(File::open(folder.file("old"), {.read = false}), std::invalid_argument);
    EXPECT_THROW(File::open(folder.file("")), IoError) << "a folder";
    EXPECT_EQ("text", read_file(folder.file("old"), 100));
    File::open(folder.file("old"), {.write = true, .truncate = true});
    EXPECT_EQ("", read_file(folder.file("old"), 100));
  });
}

TEST_F(FileTest, APipeIsRefusedBeforeItKeepsAThread) {
  run([this] {
    ASSERT_EQ(0, ::mkfifo(folder.file("fifo").c_str(), S_IRUSR | S_IWUSR));
    for (int i = 0; i < 40; ++i) {
      const std::string said = message_of<IoError>([this] { File::open(folder.file("fifo")); });
      EXPECT_TRUE(contains(said, "PipeReader::adopt")) << said;
    }
    EXPECT_THROW(read_file(folder.file("fifo"), 100), IoError);
  });
}

// ---- Whole files --------------------------------------------------------------------------------

TEST_F(FileTest, AWholeFileIsReadUpToALimit) {
  run([this] {
    const std::string path = folder.file("whole");
    write_file(path, pattern(100'000));
    EXPECT_TRUE(read_file(path, 100'000) == pattern(100'000));
    try {
      read_file(path, 99'999);
      ADD_FAILURE() << "must throw";
    } catch (const LimitError& error) {
      EXPECT_EQ(99'999u, error.limit());
      EXPECT_TRUE(contains(error.what(), path)) << error.what();
    }
    write_file(path, "short");
    EXPECT_EQ("short", read_file(path, 5));
    write_file(path, "");
    EXPECT_EQ("", read_file(path, 0));
    EXPECT_THROW(read_file("/dev/zero", 1'000'000), LimitError);
  });
}

TEST_F(FileTest, AFileThatSaysItIsEmptyIsReadAllTheSame) {
  run([] {
    const std::string status = read_file("/proc/self/status", 65536);
    EXPECT_TRUE(contains(status, "Pid:\t" + std::to_string(::getpid()) + "\n")) << status;
  });
}

TEST_F(FileTest, AFileIsCreatedWithTheModeThatIsAskedFor) {
  run([this] {
    write_file(folder.file("secret"), "x", 0600);
    struct stat info {};
    ASSERT_EQ(0, ::stat(folder.file("secret").c_str(), &info));
    EXPECT_EQ(0600u, info.st_mode & 0777u);
  });
}

// ---- To a connection ----------------------------------------------------------------------------

TEST_F(FileTest, APartOfAFileIsSentToAPeer) {
  run([this] {
    const std::string all = pattern(4 << 20);
    write_file(folder.file("large"), all);
    const File file = File::open(folder.file("large"));
    TcpPair pair = make_tcp_pair();
    const std::size_t before = times(Call::send) + times(Call::sendmsg);
    auto sending = create_task([&] {
      EXPECT_EQ(2u << 20, send_file(file, 1000, 2 << 20, pair.client));
      EXPECT_EQ(1000u, send_file(file, all.size() - 1000, 5000, pair.client)) << "to the end";
      EXPECT_EQ(0u, send_file(file, all.size(), 1, pair.client));
      pair.client.shutdown_write();
    });
    EXPECT_TRUE(read_to_end(pair.server) ==
                all.substr(1000, 2 << 20) + all.substr(all.size() - 1000));
    await(std::move(sending));
    EXPECT_EQ(before, times(Call::send) + times(Call::sendmsg));
    EXPECT_LT(0u, times(Call::sendfile));
  });
}

TEST_F(FileTest, ThePartIsBroughtInByAThreadBeforeItIsSent) {
  run([this] {
    write_file(folder.file("cold"), "from the disk");
    const File file = File::open(folder.file("cold"));
    TcpPair pair = make_tcp_pair();
    const std::size_t before = times(Call::preadv2);
    fail_next(Call::preadv2, EAGAIN, 2);  // the look, and the read that waits
    EXPECT_EQ(13u, send_file(file, 0, 13, pair.client));
    EXPECT_EQ(2u, times(Call::preadv2) - before);
    EXPECT_EQ("from the disk", read_exactly(pair.server, 13));
  });
}

TEST_F(FileTest, N74_SendingToAPeerThatIsGoneIsAnErrorAndNoSignal) {
  run([this] {
    write_file(folder.file("large"), pattern(16 << 20));
    const File file = File::open(folder.file("large"));
    TcpPair pair = make_tcp_pair();
    auto sending = create_task([&] { send_file(file, 0, 16 << 20, pair.client); });
    settle();
    ASSERT_FALSE(sending.is_done());
    pair.server.reset();
    EXPECT_THROW(await(sending), IoError);
    EXPECT_THROW(send_file(file, 0, 1, pair.client), IoError);
    File closed = file;
    closed.close();
    EXPECT_THROW(send_file(closed, 0, 1, pair.client), ClosedError);
  });
}

TEST_F(FileTest, ACancelledSendEndsAndTheStreamIsAsGoodAsBefore) {
  run([this] {
    const std::string all = pattern(16 << 20);
    write_file(folder.file("large"), all);
    const File file = File::open(folder.file("large"));
    TcpPair pair = make_tcp_pair();
    auto sending = create_task([&] { send_file(file, 0, all.size(), pair.client); });
    settle();
    sending.cancel();
    EXPECT_THROW(await(sending), TaskCancelledException);
    auto ending = create_task([&] {
      pair.client.write_all("END");
      pair.client.shutdown_write();
    });
    const std::string got = read_to_end(pair.server);
    EXPECT_TRUE(got.ends_with("END"));
    EXPECT_TRUE(got.substr(0, got.size() - 3) == all.substr(0, got.size() - 3));
    await(std::move(ending));
  });
}

}  // namespace
}  // namespace asyncio::test
