// Descriptors over a window of real time (cases L17 to L20 and L24): whatever became of them, the
// loop does not spin.
#include <cerrno>
#include <memory>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class DescriptorsSlowTest : public LoopTest {
 protected:
  DescriptorsSlowTest() { real_time(); }

  /// Lets 50 ms go by and counts: a loop that spins makes tens of thousands of waits.
  void expect_quiet() {
    const std::uint64_t before = loop().statistics().backend_waits;
    sleep(50ms);
    EXPECT_LE(loop().statistics().backend_waits - before, 100u);
  }
};

/// Ends a wait whose descriptor is gone, noticed or not.
void end(Task<void>& waiter) {
  waiter.cancel();
  EXPECT_ANY_THROW(await(waiter));
}

TEST_F(DescriptorsSlowTest, L17_AClosedDescriptorThatATaskWaitsOnCausesNoSpin) {
  run([&] {
    SocketPair pair;
    auto waiter = create_task([fd = pair.a()] { wait_readable(fd); });
    settle();
    pair.close_silently(0);
    expect_quiet();
    pair.close_silently(1);
    expect_quiet();
    end(waiter);
  });
}

TEST_F(DescriptorsSlowTest, L17_ManyClosedDescriptorsCauseNoSpin) {
  run([&] {
    std::vector<std::unique_ptr<SocketPair>> pairs;
    std::vector<Task<void>> waiters;
    for (int i = 0; i < 100; ++i) {
      pairs.push_back(std::make_unique<SocketPair>());
      waiters.push_back(create_task([fd = pairs.back()->a()] { wait_readable(fd); }));
    }
    settle();
    for (auto& pair : pairs) pair->close_silently(0);
    expect_quiet();
    for (auto& waiter : waiters) end(waiter);
  });
}

TEST_F(DescriptorsSlowTest, L17_ATaskThatWaitsOnAnEndedConnectionTwiceIsToldOfIt) {
  run([&] {
    for (int i = 0; i < 3; ++i) {
      SocketPair pair;
      pair.write(1, "x");
      wait_readable(pair.a());
      pair.read(0);
      const int number = pair.a();
      pair.close_silently(0);
      EXPECT_THROW(wait_readable(number, 10s), FdError);
    }
  });
}

TEST_F(DescriptorsSlowTest, L18_AReusedNumberWorksUnderLoadToo) {
  run([&] {
    bool stop = false;
    SocketPair busy;
    busy.write(1, "x");
    auto load = create_task([&] {
      while (!stop) wait_readable(busy.a());  // never a quiet moment
    });
    int number = -1;
    for (int i = 0; i < 4; ++i) {
      SocketPair pair;
      if (i == 0) number = pair.a();
      ASSERT_EQ(number, pair.a());
      auto writer = create_task([&] { pair.write(1, "x"); });
      EXPECT_TRUE(wait_readable(pair.a(), 10s)) << "round " << i;
      await(writer);
      pair.close_silently(0);
      pair.close_silently(1);
    }
    stop = true;
    await(load);
  });
}

TEST_F(DescriptorsSlowTest, L19_ADuplicateOfAClosedDescriptorCausesNoSpin) {
  run([&] {
    SocketPair pair;
    auto waiter = create_task([&] { wait_readable(pair.a()); });
    settle();
    const int duplicate = ::dup(pair.a());
    end(waiter);
    pair.close_silently(0);
    pair.write(1, "x");
    expect_quiet();
    wait_readable(duplicate);  // which goes on as if nothing had been
    notify_closing(duplicate);
    ::close(duplicate);
    expect_quiet();
  });
}

TEST_F(DescriptorsSlowTest, L19_NorDoesOneWhoseOriginalATaskStillWaitsOn) {
  run([&] {
    SocketPair pair;
    auto waiter = create_task([fd = pair.a()] {
      try {
        wait_readable(fd);
      } catch (const FdError&) {
        return EBADF;  // noticed
      }
      char byte = 0;
      return ::recv(fd, &byte, 1, 0) < 0 ? errno : 0;
    });
    settle();
    const int duplicate = ::dup(pair.a());
    pair.close_silently(0);
    pair.write(1, "x");
    EXPECT_EQ(EBADF, await(waiter)) << "woken or told, it finds out";
    expect_quiet();
    wait_readable(duplicate);
    notify_closing(duplicate);
    ::close(duplicate);
  });
}

TEST_F(DescriptorsSlowTest, L19_NorDoManyOfThem) {
  run([&] {
    std::vector<std::unique_ptr<SocketPair>> pairs;
    std::vector<int> duplicates;
    for (int i = 0; i < 50; ++i) {
      pairs.push_back(std::make_unique<SocketPair>());
      wait_writable(pairs.back()->a());
      EXPECT_FALSE(wait_readable(pairs.back()->a(), 0));
      duplicates.push_back(::dup(pairs.back()->a()));
    }
    for (auto& pair : pairs) {
      pair->close_silently(0);
      pair->write(1, "x");
    }
    expect_quiet();
    for (const int fd : duplicates) ::close(fd);
    SocketPair fresh;
    fresh.write(1, "x");
    wait_readable(fresh.a());
  });
}

TEST_F(DescriptorsSlowTest, L20_WhatIsAlwaysReadyCausesNoSpinOnceNobodyWaits) {
  run([&] {
    for (const char* path : {"/dev/null", "/dev/zero", "/", "/proc/self/exe"}) {
      const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
      wait_readable(fd);
      wait_writable(fd);
      expect_quiet();
      notify_closing(fd);
      ::close(fd);
    }
  });
}

TEST_F(DescriptorsSlowTest, L24_AListenerNobodyAcceptsFromForAWhileCausesNoSpin) {
  run([&] {
    const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un name{AF_UNIX, {}};
    socklen_t length = sizeof(sa_family_t);
    auto* const any_name = reinterpret_cast<sockaddr*>(&name);
    ASSERT_EQ(0, ::bind(listener, any_name, length));
    length = sizeof name;
    ASSERT_EQ(0, ::getsockname(listener, any_name, &length));
    ASSERT_EQ(0, ::listen(listener, 8));
    const int client = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ASSERT_EQ(0, ::connect(client, any_name, length));
    wait_readable(listener);  // accept() says EMFILE, and the task backs off
    expect_quiet();
    wait_readable(listener);
    for (const int fd : {listener, client}) {
      notify_closing(fd);
      ::close(fd);
    }
  });
}

}  // namespace
}  // namespace asyncio::test
