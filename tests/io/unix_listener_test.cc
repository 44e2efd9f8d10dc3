// UnixListener.
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tests/io/temporary_folder.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

class UnixListenerTest : public LoopTest {
 protected:
  mode_t mode_of(const std::string& name) const {
    struct stat status {};
    EXPECT_EQ(0, ::lstat(folder.file(name).c_str(), &status));
    return status.st_mode & 07777;
  }
  bool exists(const std::string& name) const {
    return std::filesystem::exists(std::filesystem::symlink_status(folder.file(name)));
  }

  TemporaryFolder folder;
};

const UnixListenOptions replacing{.replace_stale = true};

/// Leaves behind what a program that was killed leaves.
void leave_stale(const Endpoint& at) {
  UnixListener listener = UnixListener::bind(at);
  ::close(std::move(listener).release());
}

TEST_F(UnixListenerTest, ConnectionsGoBothWays) {
  run([this] {
    for (const Endpoint& at :
         {folder.endpoint(), Endpoint::abstract("asyncio-" + std::to_string(::getpid()))}) {
      UnixListener listener = UnixListener::bind(at);
      EXPECT_EQ(at, listener.local());
      auto client = create_task([at] { return UnixStream::connect(at); });
      UnixStream server = listener.accept();
      UnixStream there = await(std::move(client));
      EXPECT_EQ(at, there.peer());
      EXPECT_EQ(Endpoint::unnamed(), server.peer());
      there.write_all("hello");
      BufferedReader reader{server};
      std::string got(5, '\0');
      reader.read_exactly(std::as_writable_bytes(std::span{got}));
      EXPECT_EQ("hello", got);
    }
  });
}

TEST_F(UnixListenerTest, ThePathHasExactlyTheModeThatWasAsked) {
  run([this] {
    const mode_t before = ::umask(0077);
    const UnixListener open = UnixListener::bind(folder.endpoint("open"), {.mode = 0666});
    ::umask(0);
    const UnixListener closed = UnixListener::bind(folder.endpoint("closed"));
    ::umask(before);
    EXPECT_EQ(mode_t{0666}, mode_of("open"));
    EXPECT_EQ(mode_t{0600}, mode_of("closed"));
  });
}

TEST_F(UnixListenerTest, N44_APathSomebodyListensOnIsRefused) {
  run([this] {
    const UnixListener listener = UnixListener::bind(folder.endpoint());
    for (const UnixListenOptions& asked : {UnixListenOptions{}, replacing}) {
      try {
        UnixListener::bind(folder.endpoint(), asked);
        ADD_FAILURE() << "must throw";
      } catch (const IoError& error) {
        EXPECT_EQ(std::errc::address_in_use, error.code());
        EXPECT_TRUE(contains(error.what(), folder.file("socket"))) << error.what();
      }
    }
    EXPECT_TRUE(exists("socket"));
  });
}

TEST_F(UnixListenerTest, N44_AStaleOneIsReplacedOnRequestAlone) {
  run([this] {
    leave_stale(folder.endpoint());
    ASSERT_TRUE(exists("socket"));
    EXPECT_THROW(UnixListener::bind(folder.endpoint()), IoError);
    UnixListener listener = UnixListener::bind(folder.endpoint(), replacing);
    auto client = create_task([this] { UnixStream::connect(folder.endpoint()); });
    listener.accept();
    await(client);
  });
}

TEST_F(UnixListenerTest, N44_WhatIsNoSocketIsNeverReplaced) {
  run([this] {
    std::ofstream{folder.file("socket")} << "precious";
    EXPECT_THROW(UnixListener::bind(folder.endpoint(), replacing), IoError);
    EXPECT_EQ(8u, std::filesystem::file_size(folder.file("socket")));
    // Nor is a link, whatever it leads to.
    leave_stale(folder.endpoint("other"));
    std::filesystem::create_symlink(folder.file("other"), folder.file("link"));
    EXPECT_THROW(UnixListener::bind(folder.endpoint("link"), replacing), IoError);
    EXPECT_TRUE(exists("other"));
  });
}

TEST_F(UnixListenerTest, N44_OnlyItsOwnPathIsRemoved) {
  run([this] {
    UnixListener listener = UnixListener::bind(folder.endpoint());
    UnixListener moved = std::move(listener);
    moved.close();
    EXPECT_FALSE(exists("socket"));

    UnixListener renamed = UnixListener::bind(folder.endpoint());
    std::filesystem::rename(folder.file("socket"), folder.file("elsewhere"));
    UnixListener successor = UnixListener::bind(folder.endpoint());
    renamed.close();
    EXPECT_TRUE(exists("socket")) << "it is the successor's";
    EXPECT_TRUE(exists("elsewhere"));
    successor = UnixListener::bind(folder.endpoint("third"));
    EXPECT_FALSE(exists("socket"));
    EXPECT_TRUE(exists("third"));
  });
}

TEST_F(UnixListenerTest, N45_ThePathOfAnAdoptedOneStays) {
  run([this] {
    UnixListener first = UnixListener::bind(folder.endpoint());
    const int fd = std::move(first).release();
    EXPECT_TRUE(exists("socket"));
    EXPECT_TRUE(first.is_closed());
    UnixListener adopted = UnixListener::adopt(fd);
    auto client = create_task([this] { UnixStream::connect(folder.endpoint()); });
    adopted.accept();
    await(client);
    adopted.close();
    EXPECT_TRUE(exists("socket"));
  });
}

TEST_F(UnixListenerTest, OnlyAUnixListenerIsAdopted) {
  run([] {
    TcpListener tcp = TcpListener::bind({IpAddress::loopback_v4(), 0});
    const std::string said =
        message_of<std::invalid_argument>([&] { UnixListener::adopt(tcp.fd()); });
    EXPECT_TRUE(contains(said, "it is not a Unix stream socket that listens")) << said;
    auto [one, other] = UnixStream::pair();
    EXPECT_THROW(UnixListener::adopt(one.fd()), std::invalid_argument);
  });
}

TEST_F(UnixListenerTest, WhatMakesNoSenseIsRefusedByName) {
  run([this] {
    const std::string said = message_of<std::invalid_argument>([] {
      UnixListener::bind({IpAddress::loopback_v4(), 80});
    });
    EXPECT_TRUE(contains(said, "UnixListener::bind(127.0.0.1:80): give it Endpoint::unix_path"))
        << said;
    EXPECT_THROW(UnixListener::bind(Endpoint::unnamed()), std::invalid_argument);
    EXPECT_THROW(UnixListener::bind(folder.endpoint(), {.mode = 01777}), std::invalid_argument);
    EXPECT_THROW(UnixListener::bind(folder.endpoint(), {.backlog = 0}), std::invalid_argument);
    EXPECT_FALSE(exists("socket"));
    const std::string no_folder =
        message_of<IoError>([this] { UnixListener::bind(folder.endpoint("none/socket")); });
    EXPECT_TRUE(contains(no_folder, "none/socket")) << no_folder;
  });
}

TEST_F(UnixListenerTest, ClosedWhileATaskAccepts) {
  run([this] {
    UnixListener listener = UnixListener::bind(folder.endpoint());
    auto task = create_task([&] { listener.accept(); });
    settle();
    listener.close();
    EXPECT_THROW(await(task), ClosedError);
    EXPECT_FALSE(exists("socket"));
  });
}

}  // namespace
}  // namespace asyncio::test
