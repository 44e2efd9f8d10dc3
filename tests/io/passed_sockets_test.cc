// take_passed_sockets().
#include <array>
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tests/io/tcp_pair.h>
#include <asyncio/tests/io/temporary_folder.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

/// Puts descriptors where a service manager would, and what was there before back at the end.
class Passed {
 public:
  explicit Passed(const std::vector<int>& fds) {
    std::vector<Fd> copies;
    for (const int fd : fds) copies.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 100));
    for (std::size_t i = 0; i < copies.size(); ++i) {
      const int place = 3 + static_cast<int>(i);
      kept_.emplace_back(::fcntl(place, F_DUPFD_CLOEXEC, 100));
      ::dup2(copies[i].get(), place);
    }
  }
  ~Passed() {
    for (std::size_t i = 0; i < kept_.size(); ++i) {
      const int place = 3 + static_cast<int>(i);
      if (kept_[i].get() < 0) {
        ::close(place);
      } else {
        ::dup3(kept_[i].get(), place, O_CLOEXEC);
      }
    }
  }
  Passed(const Passed&) = delete;
  Passed& operator=(const Passed&) = delete;

 private:
  std::vector<Fd> kept_;
};

class PassedSocketsTest : public LoopTest {
 protected:
  static void say(const std::string& pid, const char* count, const char* names) {
    ::setenv("LISTEN_PID", pid.c_str(), 1);
    ::setenv("LISTEN_FDS", count, 1);
    if (names == nullptr) {
      ::unsetenv("LISTEN_FDNAMES");
    } else {
      ::setenv("LISTEN_FDNAMES", names, 1);
    }
  }
  static std::string own_pid() { return std::to_string(::getpid()); }
  static bool nothing_is_said() {
    return std::getenv("LISTEN_PID") == nullptr && std::getenv("LISTEN_FDS") == nullptr &&
           std::getenv("LISTEN_FDNAMES") == nullptr;
  }

  TemporaryFolder folder;
};

TEST_F(PassedSocketsTest, N45_TheyComeWithTheirNamesAndCanBeAdopted) {
  run([this] {
    std::array<std::byte, 8> buffer;
    TcpListener tcp = TcpListener::bind(loopback());
    UnixListener local = UnixListener::bind(folder.endpoint());
    const Endpoint where = tcp.local();
    std::vector<PassedSocket> sockets;
    std::optional<TcpListener> adopted;
    {
      // Before the loop's own descriptors are back in their places, nothing may wait.
      const Passed passed{{tcp.fd(), local.fd()}};
      say(own_pid(), "2", "http:control");
      sockets = take_passed_sockets();
      EXPECT_TRUE(nothing_is_said());
      ASSERT_EQ(2u, sockets.size());
      EXPECT_EQ("http", sockets[0].name);
      EXPECT_EQ("control", sockets[1].name);
      EXPECT_EQ(3, sockets[0].fd.get());
      EXPECT_EQ(4, sockets[1].fd.get());
      EXPECT_EQ(FD_CLOEXEC, ::fcntl(3, F_GETFD));
      for (PassedSocket& socket : sockets) {
        const int copy = ::fcntl(socket.fd.get(), F_DUPFD_CLOEXEC, 100);
        std::move(socket.fd).release();
        socket.fd = Fd{copy};
      }
    }
    tcp.close();
    adopted = TcpListener::adopt(sockets[0].fd.get());
    std::move(sockets[0].fd).release();
    EXPECT_EQ(where, adopted->local());
    auto client = create_task([&] { return TcpStream::connect(where); });
    TcpStream server = adopted->accept();
    await(std::move(client)).write_all("x");
    EXPECT_EQ(1u, server.read_some(buffer));
    EXPECT_TRUE(take_passed_sockets().empty()) << "they are taken once";
  });
}

TEST_F(PassedSocketsTest, WhatIsForAnotherProcessIsLeftAlone) {
  run([] {
    say(std::to_string(::getppid()), "2", "a:b");
    EXPECT_TRUE(take_passed_sockets().empty());
    EXPECT_TRUE(nothing_is_said()) << "nor is it passed on";
    EXPECT_TRUE(take_passed_sockets().empty());
  });
}

TEST_F(PassedSocketsTest, WithoutNamesTheyAreUnknown) {
  run([] {
    const Fd null{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    const Passed passed{{null.get(), null.get()}};
    say(own_pid(), "2", "first");
    std::vector<PassedSocket> sockets = take_passed_sockets();
    ASSERT_EQ(2u, sockets.size());
    EXPECT_EQ("first", sockets[0].name);
    EXPECT_EQ("unknown", sockets[1].name);
    for (PassedSocket& socket : sockets) std::move(socket.fd).release();  // to be put back
  });
}

TEST_F(PassedSocketsTest, ACountThatCannotBeTrueIsAnErrorThatTouchesNothing) {
  run([] {
    for (const char* count : {"", "two", "-1", "2x", "999999999"}) {
      say(own_pid(), count, nullptr);
      const std::string said = message_of<InvalidStateError>([] { take_passed_sockets(); });
      EXPECT_TRUE(contains(said, "where a number of descriptors belongs")) << said;
    }
    say(own_pid(), "100000", nullptr);
    const std::string said = message_of<InvalidStateError>([] { take_passed_sockets(); });
    EXPECT_TRUE(contains(said, " is not open")) << said;
    EXPECT_TRUE(nothing_is_said());
  });
}

}  // namespace
}  // namespace asyncio::test
