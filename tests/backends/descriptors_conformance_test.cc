// Descriptors, the same on every backend (cases L12 to L21, L23 and L24; L22 is in
// fork_conformance_test.cc, and what needs a window of real time in slow/descriptors_slow_test.cc).
#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/few_descriptors.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class DescriptorConformance : public LoopTest {};

/// A descriptor that closes itself, telling the loop first if one runs.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) { EXPECT_GE(fd, 0) << std::strerror(errno); }
  ~Descriptor() {
    if (fd_ < 0) return;
    try {
      notify_closing(fd_);
    } catch (const NoRunningLoopError&) {  // nobody to tell
    }
    ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

/// An address that the kernel chooses.
struct UnixAddress {
  sockaddr_un name{AF_UNIX, {}};
  socklen_t length = sizeof(sa_family_t);
  sockaddr* any() { return reinterpret_cast<sockaddr*>(&name); }
  void read_back(int fd) {
    length = sizeof name;
    EXPECT_EQ(0, ::getsockname(fd, any(), &length));
  }
};

struct Pipe {
  Pipe() { EXPECT_EQ(0, ::pipe2(ends, O_CLOEXEC | O_NONBLOCK)); }
  ~Pipe() {
    for (const int end : ends) {
      if (end >= 0) Descriptor{end};
    }
  }
  int ends[2] = {-1, -1};
};

/// What wait_readable(fd) gives in a task of its own: "ready", or the type of error.
Task<std::string> reader_of(int fd) {
  return create_task([fd]() -> std::string {
    try {
      wait_readable(fd);
      return "ready";
    } catch (const FdError&) {
      return "FdError";
    } catch (const ClosedError&) {
      return "ClosedError";
    } catch (const BusyError&) {
      return "BusyError";
    }
  });
}

// ---- L12: two directions ------------------------------------------------------------------------

TEST_F(DescriptorConformance, L12_CancellingTheReaderKeepsTheWriter) {
  run([&] {
    SocketPair pair;
    pair.fill(0);
    bool writable = false;
    auto reader = create_task([&] { wait_readable(pair.a()); });
    auto writer = create_task([&] { wait_writable(pair.a()), writable = true; });
    settle();
    reader.cancel();
    settle();
    EXPECT_TRUE(reader.is_done());
    EXPECT_FALSE(writable);
    pair.read(1);  // drains what was filled
    await(writer);
    EXPECT_TRUE(writable);
  });
}

TEST_F(DescriptorConformance, L12_CancellingTheWriterKeepsTheReader) {
  run([&] {
    SocketPair pair;
    pair.fill(0);
    bool readable = false;
    auto reader = create_task([&] { wait_readable(pair.a()), readable = true; });
    auto writer = create_task([&] { wait_writable(pair.a()); });
    settle();
    writer.cancel();
    settle();
    EXPECT_TRUE(writer.is_done());
    pair.read(1);
    settle();
    EXPECT_FALSE(readable) << "woken by readiness in the other direction";
    pair.write(1, "x");
    await(reader);
    EXPECT_EQ("x", pair.read(0));
  });
}

TEST_F(DescriptorConformance, L12_EachDirectionWakesItsOwnWaiterOnly) {
  run([&] {
    SocketPair pair;
    pair.fill(0);
    auto reader = reader_of(pair.a());
    auto writer = create_task([&] { wait_writable(pair.a()); });
    settle();
    pair.write(1, "x");
    EXPECT_EQ("ready", await(reader));
    settle();
    EXPECT_FALSE(writer.is_done());
    EXPECT_EQ("x", pair.read(0));
    reader = reader_of(pair.a());
    settle();
    pair.read(1);
    await(writer);
    settle();
    EXPECT_FALSE(reader.is_done());
    pair.write(1, "y");
    EXPECT_EQ("ready", await(reader));
  });
}

TEST_F(DescriptorConformance, L12_HangUpWakesBothDirections) {
  run([&] {
    SocketPair pair;
    pair.fill(0);
    auto reader = reader_of(pair.a());
    auto writer = create_task([&] { wait_writable(pair.a()); });
    settle();
    pair.close(1);
    EXPECT_EQ("ready", await(reader));
    await(writer);
  });
}

TEST_F(DescriptorConformance, L12_AnErrorWakesBothDirections) {
  run([&] {
    const Descriptor listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const name = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(0, ::bind(listener.get(), name, length));
    ASSERT_EQ(0, ::listen(listener.get(), 1));
    ASSERT_EQ(0, ::getsockname(listener.get(), name, &length));
    const Descriptor client{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    ASSERT_EQ(0, ::connect(client.get(), name, length));
    const int peer = ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
    ASSERT_GE(peer, 0);
    // Full in its direction, so that nobody could go on but for the error.
    ::fcntl(client.get(), F_SETFL, O_NONBLOCK);
    const std::string block(65'536, 'x');
    while (::send(client.get(), block.data(), block.size(), MSG_NOSIGNAL) > 0) {
    }
    auto reader = reader_of(client.get());
    auto writer = create_task([&] { wait_writable(client.get()); });
    settle();
    EXPECT_FALSE(reader.is_done() || writer.is_done());
    const linger reset{1, 0};
    ::setsockopt(peer, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    ::close(peer);  // not in order: a reset
    EXPECT_EQ("ready", await(reader));
    await(writer);
    char byte = 0;
    EXPECT_EQ(-1, ::recv(client.get(), &byte, 1, 0));
    EXPECT_EQ(ECONNRESET, errno);
  });
}

TEST_F(DescriptorConformance, L12_EndsOfAPipeWakeWhenTheOtherEndGoes) {
  run([&] {
    {
      Pipe pipe;
      auto reader = reader_of(pipe.ends[0]);
      settle();
      EXPECT_FALSE(reader.is_done());
      ::close(std::exchange(pipe.ends[1], -1));
      EXPECT_EQ("ready", await(reader));
    }
    {
      Pipe pipe;
      const std::string block(4096, 'x');
      while (::write(pipe.ends[1], block.data(), block.size()) > 0) {
      }
      auto writer = create_task([&] { wait_writable(pipe.ends[1]); });
      settle();
      EXPECT_FALSE(writer.is_done());
      ::close(std::exchange(pipe.ends[0], -1));
      await(writer);
    }
  });
}

// ---- L13: one waiter in each direction ----------------------------------------------------------

TEST_F(DescriptorConformance, L13_ASecondWaiterInOneDirectionIsBusyErrorNamingTheFirst) {
  run([&] {
    SocketPair pair;
    auto first = create_task([&] { wait_readable(pair.a()); }, "first");
    settle();
    for (int i = 0; i < 2; ++i) {
      try {
        wait_readable(pair.a());
        FAIL();
      } catch (const BusyError& error) {
        EXPECT_NE(std::string::npos, std::string{error.what()}.find("first"));
      }
    }
    EXPECT_THROW(wait_readable(pair.a(), 1s), BusyError);
    wait_writable(pair.a());  // the other direction is free
    EXPECT_FALSE(first.is_done());
    pair.write(1, "x");
    await(first);
    EXPECT_EQ(1u, pair.read(0).size());
  });
}

TEST_F(DescriptorConformance, L13_TheNextWaiterMayComeAsSoonAsTheFirstIsWokenOrCancelled) {
  run([&] {
    SocketPair pair;
    auto first = reader_of(pair.a());
    settle();
    pair.write(1, "x");
    EXPECT_EQ("ready", await(first));
    wait_readable(pair.a());
    pair.read(0);
    auto second = reader_of(pair.a());
    settle();
    second.cancel();
    EXPECT_FALSE(wait_readable(pair.a(), 1ms)) << "at once, before the other has unwound";
    EXPECT_TRUE(second.is_done());
  });
}

// ---- L14: nothing for those who have gone -------------------------------------------------------

TEST_F(DescriptorConformance, L14_AWaitEndedInTheSameTurnIsNotReportedLater) {
  run([&] {
    SocketPair one;
    SocketPair two;
    int woken = 0;
    auto b = create_task([&] { wait_readable(two.a()), ++woken; });
    auto a = create_task([&] { wait_readable(one.a()), ++woken; });
    settle();
    b.cancel();
    two.write(1, "x");
    one.write(1, "x");
    await(a);
    settle();
    EXPECT_EQ(1, woken);
    EXPECT_EQ("x", two.read(0)) << "the byte is still there";
  });
}

TEST_F(DescriptorConformance, L14_AReadyWaiterCancelledByAnotherKeepsItsResultAndGetsNoSecond) {
  run([&] {
    SocketPair one;
    SocketPair two;
    int results = 0;
    int unwound = 0;
    std::vector<Task<void>> tasks;
    const auto add = [&](int fd, std::size_t other) {
      tasks.push_back(create_task([&, fd, other] {
        wait_readable(fd);
        ++results;
        tasks[other].cancel();
        try {
          wait_readable(fd);  // unread, so ready again for whoever may go on
        } catch (const Cancelled&) {
          ++unwound;
          throw;
        }
      }));
    };
    add(one.a(), 1);
    add(two.a(), 0);
    settle();
    one.write(1, "x");
    two.write(1, "x");
    settle();
    EXPECT_EQ(2, results) << "the waker was first (R3): nothing handed over is lost";
    EXPECT_EQ(2, unwound);
    EXPECT_EQ(0u, loop().statistics().fd_waiters);
    // And nothing of the dead waits is in the way of a new one.
    wait_readable(one.a());
    wait_readable(two.a());
  });
}

TEST_F(DescriptorConformance, L14_AReadyTaskClosesTheDescriptorOfAnotherReadyTask) {
  run([&] {
    SocketPair pairs[2];
    int closed = 0;
    int refused = 0;
    const auto body = [&](int own, int other) {
      wait_readable(pairs[own].a());
      if (closed++ == 0) {
        pairs[other].close(0);
        return;
      }
      try {
        wait_readable(pairs[own].a());  // the number is not open any more
      } catch (const FdError&) {
        ++refused;
      }
    };
    auto a = create_task([&] { body(0, 1); });
    auto b = create_task([&] { body(1, 0); });
    settle();
    pairs[0].write(1, "x");
    pairs[1].write(1, "x");
    await(a);
    await(b);
    EXPECT_EQ(2, closed);
    EXPECT_EQ(1, refused);
  });
}

TEST_F(DescriptorConformance, L14_WaitingAgainAtOnceIsReportedInALaterTurn) {
  run([&] {
    SocketPair pair;
    pair.write(1, "x");
    std::uint64_t last = 0;
    for (int i = 0; i < 10; ++i) {
      wait_readable(pair.a());
      const std::uint64_t turn = loop().statistics().turns;
      EXPECT_GT(turn, last);
      last = turn;
    }
  });
}

// ---- L15: level-triggered -----------------------------------------------------------------------

TEST_F(DescriptorConformance, L15_UnreadDataIsReportedAgain) {
  run([&] {
    SocketPair pair;
    pair.write(1, "xy");
    for (int i = 0; i < 5; ++i) wait_readable(pair.a());
    char byte = 0;
    ASSERT_EQ(1, ::recv(pair.a(), &byte, 1, 0));
    wait_readable(pair.a());  // half of it is left
    EXPECT_EQ("y", pair.read(0));
    EXPECT_FALSE(wait_readable(pair.a(), 1ms));
    for (int i = 0; i < 5; ++i) wait_writable(pair.a());
  });
}

TEST_F(DescriptorConformance, L15_UnreadDataIsReportedToTheNextTaskToo) {
  run([&] {
    SocketPair pair;
    pair.write(1, "x");
    for (int i = 0; i < 5; ++i) EXPECT_EQ("ready", await(reader_of(pair.a())));
    EXPECT_EQ("x", pair.read(0));
  });
}

TEST_F(DescriptorConformance, L15_DataThatArrivedWhileNobodyWaitedIsReported) {
  run([&] {
    SocketPair pair;
    pair.write(1, "x");
    wait_readable(pair.a());  // registers
    pair.read(0);
    for (int i = 0; i < 5; ++i) {
      pair.write(1, "x");
      sleep(1s);  // turns go by in which it is ready and nobody asks
      wait_readable(pair.a());
      EXPECT_EQ("x", pair.read(0));
      EXPECT_FALSE(wait_readable(pair.a(), 1ms));
    }
  });
}

// ---- L16: not open ------------------------------------------------------------------------------

TEST_F(DescriptorConformance, L16_ADescriptorThatIsNotOpenIsAnErrorAtOnce) {
  run([&] {
    const int closed = ::dup(0);
    ::close(closed);
    for (const int fd : {-1, -2, INT_MIN, closed, 19'999, INT_MAX}) {
      const auto refused = [&](auto&& call) {
        try {
          call();
          ADD_FAILURE() << "accepted " << fd;
        } catch (const FdError& error) {
          EXPECT_EQ(EBADF, error.code());
          EXPECT_NE(std::string::npos, std::string{error.what()}.find(std::to_string(fd)));
        }
      };
      refused([&] { wait_readable(fd); });
      refused([&] { wait_writable(fd); });
      refused([&] { wait_readable(fd, 0); });
      refused([&] { wait_writable(fd, 1s); });
    }
    EXPECT_EQ(Duration::zero(), elapsed());
    EXPECT_EQ(0u, loop().statistics().fd_waiters);
  });
}

TEST_F(DescriptorConformance, L16_ANumberThatOnlyNamesAPathIsAnErrorNotTheEndOfTheProcess) {
  run([&] {
    // O_PATH: open, but nothing can be read from it or waited for.
    const int fd = ::open("/dev/tty", O_PATH | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    EXPECT_THROW(wait_readable(fd), FdError);
    EXPECT_THROW(wait_writable(fd, 1s), FdError);
    ::close(fd);
    SocketPair pair;
    pair.write(1, "x");
    wait_readable(pair.a());  // the loop is as good as before
  });
}

TEST_F(DescriptorConformance, L16_AKnownDescriptorThatWasClosedIsFoundOutSoon) {
  real_time();  // the check of a trusted registration goes by real time
  run([&] {
    SocketPair pair;
    pair.write(1, "x");
    wait_readable(pair.a());
    pair.read(0);
    const int number = pair.a();
    pair.close_silently(0);
    EXPECT_THROW(wait_readable(number, 10s), FdError);
  });
}

// ---- L17: closed while watched ------------------------------------------------------------------

TEST_F(DescriptorConformance, L17_ClosingAWatchedDescriptorSilentlyDisturbsNobody) {
  run([&] {
    SocketPair doomed;
    SocketPair healthy;
    const int number = doomed.a();
    auto lost = reader_of(number);
    settle();
    auto lost_too = create_task([&] { wait_readable(number, 1h); });  // one direction, one task
    auto fine = reader_of(healthy.a());
    settle();
    EXPECT_THROW(await(lost_too), BusyError);
    doomed.close_silently(0);
    settle();
    healthy.write(1, "x");
    EXPECT_EQ("ready", await(fine));
    // Whether it was noticed depends on the kernel's mechanism; either way the task can be ended.
    lost.cancel();
    try {
      EXPECT_EQ("FdError", await(lost));
    } catch (const TaskCancelledException&) {  // silent until then
    }
    EXPECT_EQ(0u, loop().statistics().fd_waiters);
  });
}

TEST_F(DescriptorConformance, L17_AWaitWithATimeoutEndsThoughItsDescriptorWasClosed) {
  run([&] {
    SocketPair pair;
    const int number = pair.a();
    auto waiter = create_task([&]() -> std::string {
      try {
        return wait_readable(number, 1s) ? "ready" : "timeout";
      } catch (const FdError&) {
        return "FdError";
      }
    });
    settle();
    pair.close_silently(0);
    const std::string outcome = await(waiter);
    EXPECT_TRUE(outcome == "timeout" || outcome == "FdError") << outcome;
  });
}

TEST_F(DescriptorConformance, L17_NotifyClosingWakesWaitersWithClosedError) {
  run([&] {
    SocketPair pair;
    pair.fill(0);
    auto reader = reader_of(pair.a());
    auto writer = create_task([&] { wait_writable(pair.a()); });
    settle();
    pair.close(0);
    EXPECT_EQ("ClosedError", await(reader));
    EXPECT_THROW(await(writer), ClosedError);
  });
}

TEST_F(DescriptorConformance, L17_NotifyClosingIsHarmlessForWhatNobodyWaitsOn) {
  run([&] {
    SocketPair pair;
    for (const int fd : {-1, INT_MIN, INT_MAX, 12'345, pair.a()}) {
      notify_closing(fd);
      notify_closing(fd);
    }
    pair.write(1, "x");
    wait_readable(pair.a());
    notify_closing(pair.a());
    wait_readable(pair.a());  // it was not closed after all
    EXPECT_EQ("x", pair.read(0));
  });
  EXPECT_THROW(notify_closing(0), NoRunningLoopError);
}

// ---- L18: a number used again -------------------------------------------------------------------

TEST_F(DescriptorConformance, L18_AReusedNumberServesItsNewOwner) {
  run([&] {
    SocketPair old_pair;
    const int number = old_pair.a();
    auto old_waiter = reader_of(number);
    settle();
    old_pair.close_silently(0);
    SocketPair fresh;
    ASSERT_EQ(number, fresh.a()) << "the kernel gives out the lowest free number";
    auto new_waiter = create_task([&] {
      wait_readable(fresh.a());
      return fresh.read(0);
    });
    settle();
    EXPECT_EQ("FdError", await(old_waiter)) << "the new wait has shown that its file is gone";
    fresh.write(1, "new");
    EXPECT_EQ("new", await(new_waiter));
  });
}

TEST_F(DescriptorConformance, L18_TheOldWaiterNeverGetsTheNewFilesEvent) {
  // To notice would cost those that go by numbers a system call for each report; there the old
  // waiter is woken in error: backends/README.md, "Where they still differ".
  const std::string_view type = loop().backend().type();
  const bool goes_by_numbers = type == "select" || type == "poll";
  run([&] {
    SocketPair old_pair;
    const int number = old_pair.a();
    auto old_waiter = reader_of(number);
    settle();
    old_pair.close_silently(0);
    SocketPair fresh;
    ASSERT_EQ(number, fresh.a());
    fresh.write(1, "new");
    settle();
    old_waiter.cancel();
    try {
      EXPECT_EQ(goes_by_numbers ? "ready" : "FdError", await(old_waiter));
    } catch (const TaskCancelledException&) {  // silent until then
      EXPECT_FALSE(goes_by_numbers);
    }
  });
}

TEST_F(DescriptorConformance, L18_TheNumberOfAnEarlierFileIsWaitedOnInTheOtherDirection) {
  run([&] {
    int number = -1;
    {
      SocketPair pair;
      number = pair.a();
      pair.write(1, "x");
      wait_readable(number);
      wait_writable(number);
      pair.close_silently(0);
    }
    SocketPair fresh;
    ASSERT_EQ(number, fresh.a());
    fresh.fill(0);
    EXPECT_FALSE(wait_writable(fresh.a(), 1ms));
    fresh.read(1);
    EXPECT_TRUE(wait_writable(fresh.a(), 1s));
    EXPECT_FALSE(wait_readable(fresh.a(), 1ms));
  });
}

TEST_F(DescriptorConformance, L18_ManyConnectionsComeAndGoWithoutNotice) {
  run([&] {
    for (int i = 0; i < 300; ++i) {
      SocketPair pair;
      auto reader = create_task([&] {
        wait_readable(pair.a());
        return pair.read(0);
      });
      if (i % 3 != 0) settle();
      pair.write(1, "hello");
      EXPECT_EQ("hello", await(reader)) << "round " << i;
      pair.close_silently(i % 2);
      if (i % 5 == 0) pair.close_silently(1 - i % 2);
    }
  });
}

TEST_F(DescriptorConformance, L18_OneTaskMayCloseAndReuseANumberInALoop) {
  real_time();  // the check of a trusted registration goes by real time
  run([&] {
    int number = -1;
    for (int i = 0; i < 20; ++i) {
      SocketPair pair;
      if (i == 0) number = pair.a();
      ASSERT_EQ(number, pair.a());
      auto writer = create_task([&] { pair.write(1, "x"); });
      ASSERT_TRUE(wait_readable(pair.a(), 5s)) << "round " << i;
      await(writer);
      pair.close_silently(0);
      pair.close_silently(1);
    }
  });
}

// ---- L19: duplicates ----------------------------------------------------------------------------

TEST_F(DescriptorConformance, L19_ASocketThatWasAwayWhileTheKernelObjectWasMadeAnewIsWaitedOn) {
  run([&] {
    SocketPair pair;
    SocketPair doomed;
    SocketPair stand_in;
    const auto served = [](SocketPair& by) {
      by.write(1, "x");
      return await(create_task([&] {
        const bool ready = wait_readable(by.a(), 1s);
        by.read(0);
        return ready;
      }));
    };
    EXPECT_TRUE(served(pair));
    EXPECT_TRUE(served(doomed));
    const Descriptor away{::dup(pair.a())};
    ASSERT_EQ(pair.a(), ::dup2(stand_in.a(), pair.a()));
    // One that is closed, yet reported, is why.
    const Descriptor duplicate{::dup(doomed.a())};
    doomed.close_silently(0);
    doomed.write(1, "x");
    for (int i = 0; i < 10; ++i) settle();
    ASSERT_EQ(pair.a(), ::dup2(away.get(), pair.a()));
    EXPECT_TRUE(served(pair));
  });
}

TEST_F(DescriptorConformance, L19_ADuplicateCanBeWaitedOnAfterTheOriginalWasClosed) {
  run([&] {
    SocketPair pair;
    auto waiter = reader_of(pair.a());
    settle();
    waiter.cancel();
    settle();
    const Descriptor duplicate{::dup(pair.a())};
    pair.close_silently(0);
    EXPECT_FALSE(wait_readable(duplicate.get(), 1ms));
    pair.write(1, "x");
    wait_readable(duplicate.get());
    char byte = 0;
    EXPECT_EQ(1, ::recv(duplicate.get(), &byte, 1, 0));
    EXPECT_FALSE(wait_readable(duplicate.get(), 1ms));
  });
}

TEST_F(DescriptorConformance, L19_OriginalAndDuplicateAreTwoDescriptors) {
  run([&] {
    SocketPair pair;
    const Descriptor duplicate{::dup(pair.a())};
    auto one = reader_of(pair.a());
    auto two = reader_of(duplicate.get());
    settle();
    pair.write(1, "x");
    EXPECT_EQ("ready", await(one));
    EXPECT_EQ("ready", await(two));
  });
}

TEST_F(DescriptorConformance, L19_ANumberReusedWhileADuplicateOfItsOldFileLivesServesTheNewFile) {
  run([&] {
    SocketPair old_pair;
    const int number = old_pair.a();
    auto old_waiter = reader_of(number);
    settle();
    old_waiter.cancel();
    settle();
    const Descriptor duplicate{::dup(number)};
    old_pair.close_silently(0);
    SocketPair fresh;
    ASSERT_EQ(number, fresh.a());
    auto reader = create_task([&] {
      for (int woken = 0; woken < 1000; ++woken) {  // a wake-up too many is no harm, only a spin
        wait_readable(fresh.a());
        const std::string got = fresh.read(0);
        if (!got.empty()) return got;
      }
      return std::string{"woken for nothing, over and over"};
    });
    settle();
    old_pair.write(1, "old");
    for (int i = 0; i < 200; ++i) yield();
    fresh.write(1, "new");
    EXPECT_EQ("new", await(reader));
  });
}

// ---- L20, L21, L23: what kinds there are --------------------------------------------------------

TEST_F(DescriptorConformance, L20_WhatNeverBlocksIsAlwaysReadyInBothDirections) {
  run([&] {
    for (const char* path : {"/proc/self/exe", "/", "/dev/null", "/dev/zero"}) {
      const Descriptor file{::open(path, O_RDONLY | O_CLOEXEC)};
      for (int i = 0; i < 3; ++i) {
        wait_readable(file.get());
        wait_writable(file.get());
        EXPECT_TRUE(wait_readable(file.get(), 0)) << path;
        EXPECT_TRUE(wait_writable(file.get(), 1s)) << path;
      }
    }
    EXPECT_EQ(Duration::zero(), elapsed());
  });
}

TEST_F(DescriptorConformance, L20_WhatNeverBlocksMayBeWaitedOnByOneTaskAfterTheOther) {
  run([&] {
    const Descriptor null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ("ready", await(reader_of(null.get())));
      await(create_task([&] { wait_writable(null.get()); }));
    }
    sleep(1s);  // the loop goes on as if it had never seen it
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(DescriptorConformance, L20_PipesEventAndTimerDescriptorsAreReadyWhenTheySaySo) {
  run([&] {
    Pipe pipe;
    EXPECT_FALSE(wait_readable(pipe.ends[0], 1ms));
    wait_writable(pipe.ends[1]);
    ASSERT_EQ(1, ::write(pipe.ends[1], "x", 1));
    wait_readable(pipe.ends[0]);

    const Descriptor event{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    EXPECT_FALSE(wait_readable(event.get(), 1ms));
    wait_writable(event.get());
    ASSERT_EQ(0, ::eventfd_write(event.get(), 1));
    wait_readable(event.get());

    const Descriptor timer{::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)};
    EXPECT_FALSE(wait_readable(timer.get(), 1ms));
    itimerspec soon{};
    soon.it_value.tv_nsec = 1;
    ASSERT_EQ(0, ::timerfd_settime(timer.get(), 0, &soon, nullptr));
    wait_readable(timer.get());  // a real millisecond at the most
  });
}

TEST_F(DescriptorConformance, L21_NumbersBeyondFdSetsizeWork) {
  rlimit limit{};
  ASSERT_EQ(0, ::getrlimit(RLIMIT_NOFILE, &limit));
  if (limit.rlim_max < 1100)
    GTEST_SKIP() << "RLIMIT_NOFILE is " << limit.rlim_max << " at the most";
  rlimit raised = limit;
  raised.rlim_cur = raised.rlim_max;
  ASSERT_EQ(0, ::setrlimit(RLIMIT_NOFILE, &raised));
  run([&] {
    SocketPair pair;
    const int most = static_cast<int>(std::min<rlim_t>(raised.rlim_max, 5001)) - 1;
    for (const int wanted : {1022, 1023, 1024, 1025, most}) {
      const Descriptor high{::fcntl(pair.a(), F_DUPFD_CLOEXEC, wanted)};
      ASSERT_GE(high.get(), wanted);
      EXPECT_FALSE(wait_readable(high.get(), 1ms));
      auto reader = reader_of(high.get());
      settle();
      pair.write(1, "x");
      EXPECT_EQ("ready", await(reader));
      EXPECT_EQ("x", pair.read(0));
      EXPECT_TRUE(wait_writable(high.get(), 1s));
    }
  });
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

TEST_F(DescriptorConformance, L23_AnEpollDescriptorIsReadableWhenOneOfItsOwnIs) {
  run([&] {
    SocketPair pair;
    const Descriptor epoll{::epoll_create1(EPOLL_CLOEXEC)};
    epoll_event event{};
    event.events = EPOLLIN;
    ASSERT_EQ(0, ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, pair.a(), &event));
    for (int i = 0; i < 3; ++i) {
      EXPECT_FALSE(wait_readable(epoll.get(), 1ms));
      auto reader = reader_of(epoll.get());
      settle();
      EXPECT_FALSE(reader.is_done());
      pair.write(1, "x");
      EXPECT_EQ("ready", await(reader));
      pair.read(0);
    }
  });
}

// ---- L24: out of descriptors --------------------------------------------------------------------

TEST_F(DescriptorConformance, L24_AcceptThatIsOutOfDescriptorsBacksOffAndGoesOn) {
  run([&] {
    const Descriptor listener{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    UnixAddress address;
    ASSERT_EQ(0, ::bind(listener.get(), address.any(), address.length));
    address.read_back(listener.get());
    ASSERT_EQ(0, ::listen(listener.get(), 8));
    const Descriptor client{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    ASSERT_EQ(0, ::connect(client.get(), address.any(), address.length));

    int refused = 0;
    auto server = create_task([&] {
      for (;;) {
        wait_readable(listener.get());
        const int fd = ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
        if (fd >= 0) return fd;
        EXPECT_EQ(EMFILE, errno);
        ++refused;
        sleep(100ms);
      }
    });
    std::optional<FewDescriptors> none_left{0};
    const std::uint64_t turns = loop().statistics().turns;
    sleep(1050ms);
    EXPECT_EQ(11, refused) << "at once, and then every 100 ms";
    EXPECT_LE(loop().statistics().turns - turns, 200u) << "the listener, ready all the time, spins";
    none_left.reset();
    const Descriptor accepted{await(server)};
    EXPECT_EQ(1, ::send(client.get(), "x", 1, MSG_NOSIGNAL));
    wait_readable(accepted.get());
  });
}

TEST_F(DescriptorConformance, TimeoutOfZeroLooksOnce) {
  run([&] {
    SocketPair pair;
    EXPECT_FALSE(wait_readable(pair.a(), 0));
    EXPECT_TRUE(wait_writable(pair.a(), 0));
    pair.write(1, "x");
    EXPECT_TRUE(wait_readable(pair.a(), 0));
    EXPECT_TRUE(wait_readable(pair.a(), -1ms));
    EXPECT_EQ(Duration::zero(), elapsed());
  });
}

}  // namespace
}  // namespace asyncio::test
