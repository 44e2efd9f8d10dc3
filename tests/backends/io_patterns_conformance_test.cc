// What programs build from wait_readable and wait_writable, cancelled in the middle: writes,
// connects and child processes, the same on every backend.
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <string>
#include <string_view>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class IoPatternsConformance : public LoopTest {};

// ---- C13: a write that has to wait --------------------------------------------------------------

/// Writes everything; `written` is right whenever it ends, however it ends.
void write_all(int fd, std::string_view bytes, std::size_t& written) {
  while (written < bytes.size()) {
    const ssize_t n = ::write(fd, bytes.data() + written, bytes.size() - written);
    if (n > 0) {
      written += static_cast<std::size_t>(n);
    } else {
      ASSERT_EQ(EAGAIN, errno);
      wait_writable(fd);
    }
  }
}

std::string read_available(const SocketPair& pair, int end) {
  std::string all;
  for (std::string part = pair.read(end); !part.empty(); part = pair.read(end)) all += part;
  return all;
}

TEST_F(IoPatternsConformance, C13_ACancelledWriteKnowsWhatWasAcceptedAndNothingElseWas) {
  run([] {
    const SocketPair pair;
    const std::string bytes(4 << 20, 'x');
    std::size_t written = 0;
    auto writer = create_task([&] { write_all(pair.a(), bytes, written); });
    settle();
    std::string received = read_available(pair, 1);
    settle();
    EXPECT_TRUE(writer.cancel());
    EXPECT_THROW(await(writer), TaskCancelledException);
    received += read_available(pair, 1);
    EXPECT_LT(received.size(), bytes.size());
    EXPECT_EQ(written, received.size());
    sleep(1s);
    EXPECT_EQ("", pair.read(1)) << "written after the end";
    wait_writable(pair.a());  // and the descriptor is as good as new
  });
}

// ---- C14: a connect in progress -----------------------------------------------------------------

/// A listener that has no room left, so that a connect to it stays in progress.
class FullListener {
 public:
  FullListener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    EXPECT_EQ(0, ::bind(fd_, reinterpret_cast<sockaddr*>(&address_), size));
    EXPECT_EQ(0, ::listen(fd_, 0));
    EXPECT_EQ(0, ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address_), &size));
    first_ = begin_connect();
  }
  ~FullListener() {
    ::close(first_);
    ::close(fd_);
  }
  FullListener(const FullListener&) = delete;
  FullListener& operator=(const FullListener&) = delete;

  int begin_connect() const {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int result = ::connect(fd, reinterpret_cast<const sockaddr*>(&address_), sizeof address_);
    EXPECT_TRUE(result == 0 || errno == EINPROGRESS);
    return fd;
  }

 private:
  int fd_;
  int first_ = -1;
  sockaddr_in address_{};
};

TEST_F(IoPatternsConformance,
       C14_ACancelledConnectLeavesADescriptorThatCanBeClosedAndItsNumberReused) {
  run([] {
    const FullListener listener;
    const int fd = listener.begin_connect();
    auto connecting = create_task([&] { wait_writable(fd); });
    settle();
    ASSERT_FALSE(connecting.is_done()) << "the listener took more than it was told to";
    connecting.cancel();
    EXPECT_THROW(await(connecting), TaskCancelledException);
    notify_closing(fd);
    ASSERT_EQ(0, ::close(fd));
    SocketPair pair;  // one of its ends has the number
    EXPECT_TRUE(pair.a() == fd || pair.b() == fd);
    const int end = pair.a() == fd ? 0 : 1;
    EXPECT_FALSE(wait_readable(fd, 1s)) << "nothing of the old connection comes through";
    pair.write(1 - end, "new");
    EXPECT_TRUE(wait_readable(fd, 1s));
    EXPECT_EQ("new", pair.read(end));
  });
}

// ---- C25, L28: child processes ------------------------------------------------------------------

/// A child that ends with `status` as soon as its standing order, a byte, comes; or at once.
class Child {
 public:
  explicit Child(int status, bool at_once = false) {
    EXPECT_EQ(0, ::pipe(order_));
    pid_ = ::fork();
    if (pid_ == 0) {
      char byte = 0;
      ::close(order_[1]);
      if (!at_once) static_cast<void>(::read(order_[0], &byte, 1) != 1);
      ::_exit(status);
    }
    fd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    EXPECT_GE(fd_, 0);
  }
  ~Child() {
    notify_closing(fd_);
    ::close(fd_);
    ::close(order_[0]);
    ::close(order_[1]);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void let_end() { EXPECT_EQ(1, ::write(order_[1], "x", 1)); }
  /// Waits for the end, and only for this child's.
  int wait() {
    wait_readable(fd_);
    int status = 0;
    EXPECT_EQ(pid_, ::waitpid(pid_, &status, WNOHANG));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  pid_t pid() const { return pid_; }

 private:
  int order_[2];
  pid_t pid_;
  int fd_;
};

TEST_F(IoPatternsConformance, C25_ACancelledWaitForAChildLeavesItRunningAndItCanStillBeReaped) {
  real_time();
  run([] {
    Child child{3};
    auto waiter = create_task([&] { return child.wait(); });
    settle();
    waiter.cancel();
    EXPECT_THROW(await(waiter), TaskCancelledException);
    EXPECT_EQ(0, ::waitpid(child.pid(), nullptr, WNOHANG)) << "it must go on";
    child.let_end();
    EXPECT_EQ(3, child.wait());
  });
}

TEST_F(IoPatternsConformance, L28_AnExitBeforeTheWaitIsReportedOnceAndOthersAreNotReaped) {
  real_time();
  run([] {
    Child others{5, true};
    Child early{4, true};
    siginfo_t info{};
    ASSERT_EQ(0, ::waitid(P_PID, static_cast<id_t>(early.pid()), &info, WEXITED | WNOWAIT));
    EXPECT_EQ(4, early.wait());
    EXPECT_EQ(-1, ::waitpid(early.pid(), nullptr, WNOHANG));
    EXPECT_EQ(ECHILD, errno);
    int status = 0;
    EXPECT_EQ(others.pid(), ::waitpid(others.pid(), &status, 0)) << "left for who started it";
    EXPECT_EQ(5, WEXITSTATUS(status));
  });
}

TEST_F(IoPatternsConformance, L28_StoppingAndContinuingIsNoExit) {
  real_time();
  run([] {
    Child child{6};
    auto waiter = create_task([&] { return child.wait(); });
    settle();
    for (const int signo : {SIGSTOP, SIGCONT}) {
      ASSERT_EQ(0, ::kill(child.pid(), signo));
      siginfo_t info{};
      ASSERT_EQ(0, ::waitid(P_PID, static_cast<id_t>(child.pid()), &info,
                            signo == SIGSTOP ? WSTOPPED : WCONTINUED));
      settle();
      EXPECT_FALSE(waiter.is_done());
    }
    child.let_end();
    EXPECT_EQ(6, await(waiter));
  });
}

}  // namespace
}  // namespace asyncio::test
