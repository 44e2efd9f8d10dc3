// OwnedDescriptor: waits that check nothing, because somebody owns the number.
#include <cerrno>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/core/lowlevel/descriptor.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;
using lowlevel::Direction;
using lowlevel::OwnedDescriptor;

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

class DescriptorTest : public LoopTest {
 protected:
  /// An owner of one end of a new pair; `other` is the number of the other end.
  static OwnedDescriptor make(int& other) {
    int ends[2];
    EXPECT_EQ(0, ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
    other = ends[1];
    return OwnedDescriptor{ends[0], "the test"};
  }
  static void wait(OwnedDescriptor& owned, Direction direction) {
    owned.wait(lowlevel::enter("the test"), direction, "the test");
  }
  static void put(int fd) { ASSERT_EQ(1, ::send(fd, "x", 1, MSG_NOSIGNAL)); }
  static void take(int fd) {
    char byte = 0;
    ASSERT_EQ(1, ::recv(fd, &byte, 1, 0));
  }
};

TEST_F(DescriptorTest, WaitsUntilThereIsSomethingToRead) {
  run([] {
    int other = -1;
    OwnedDescriptor owned = make(other);
    for (int i = 0; i < 3; ++i) {
      auto reader = create_task([&] { wait(owned, Direction::read); });
      settle();
      EXPECT_FALSE(reader.is_done());
      put(other);
      await(reader);  // another task each time
      take(owned.fd());
    }
    wait(owned, Direction::write);
    ::close(other);
  });
}

TEST_F(DescriptorTest, ADeadlineEndsAWaitAndDataBeatsIt) {
  run([&] {
    int other = -1;
    OwnedDescriptor owned = make(other);
    const auto wait_for = [&](Duration time) {
      const lowlevel::CurrentTask self = lowlevel::enter("the test");
      return owned.wait_until(self, Direction::read, owned.loop().now() + time, "the test");
    };
    EXPECT_FALSE(wait_for(3s));
    EXPECT_EQ(3s, elapsed());
    put(other);
    EXPECT_TRUE(wait_for(0s));
    ::close(other);
  });
}

TEST_F(DescriptorTest, ACancelledWaitLeavesTheDescriptorToTheNext) {
  run([] {
    int other = -1;
    OwnedDescriptor owned = make(other);
    auto reader = create_task([&] { wait(owned, Direction::read); });
    settle();
    reader.cancel();
    EXPECT_THROW(await(reader), TaskCancelledException);
    put(other);
    wait(owned, Direction::read);
    ::close(other);
  });
}

TEST_F(DescriptorTest, ASecondWaiterOfADirectionIsToldSo) {
  run([] {
    int other = -1;
    OwnedDescriptor owned = make(other);
    auto reader = create_task([&] { wait(owned, Direction::read); }, "first");
    settle();
    EXPECT_TRUE(
        contains(message_of<BusyError>([&] { wait(owned, Direction::read); }), "task 'first'"));
    EXPECT_THROW(wait_readable(owned.fd()), BusyError) << "by number it is the same";
    wait(owned, Direction::write);
    wait_writable(owned.fd());
    EXPECT_FALSE(reader.is_done());
    put(other);
    await(reader);
    ::close(other);
  });
}

TEST_F(DescriptorTest, ClosingEndsTheWaitsAndFreesTheNumber) {
  run([] {
    int other = -1;
    OwnedDescriptor owned = make(other);
    const int fd = owned.fd();
    auto reader = create_task([&] { wait(owned, Direction::read); });
    settle();
    owned.close();
    owned.close();
    EXPECT_FALSE(is_open(fd));
    EXPECT_EQ(-1, owned.fd());
    EXPECT_THROW(await(reader), ClosedError);
    EXPECT_THROW(wait(owned, Direction::read), ClosedError);
    ::close(other);

    OwnedDescriptor again = make(other);
    EXPECT_EQ(fd, again.fd());
    auto fresh = create_task([&] { wait(again, Direction::read); });
    settle();
    EXPECT_FALSE(fresh.is_done());
    put(other);
    await(fresh);
    ::close(other);
  });
}

TEST_F(DescriptorTest, DestroyedUnderAWaiterItIsClosed) {
  run([] {
    int other = -1;
    std::optional<OwnedDescriptor> owned{make(other)};
    auto reader = create_task([&] { wait(*owned, Direction::read); });
    settle();
    owned.reset();
    EXPECT_THROW(await(reader), ClosedError);
    ::close(other);
  });
}

TEST_F(DescriptorTest, ReleasedItStaysOpenAndCanBeTakenOverAgain) {
  run([] {
    int other = -1;
    OwnedDescriptor owned = make(other);
    auto reader = create_task([&] { wait(owned, Direction::read); });
    settle();
    const int fd = owned.release();
    EXPECT_EQ(-1, owned.release());
    EXPECT_TRUE(is_open(fd));
    EXPECT_THROW(await(reader), ClosedError);
    OwnedDescriptor again{fd, "the test"};
    put(other);
    wait(again, Direction::read);
    ::close(other);
  });
}

TEST_F(DescriptorTest, MovedWhileATaskWaitsItGoesOnWaiting) {
  run([] {
    int other = -1;
    OwnedDescriptor owned = make(other);
    auto reader = create_task([&] { wait(owned, Direction::read); });
    settle();
    OwnedDescriptor moved{std::move(owned)};
    EXPECT_FALSE(owned.is_open());
    settle();
    EXPECT_FALSE(reader.is_done());
    put(other);
    await(reader);
    take(moved.fd());
    int third = -1;
    const int closed = moved.fd();
    moved = make(third);
    EXPECT_NE(closed, moved.fd()) << "what it had is closed after the other one was made";
    EXPECT_FALSE(is_open(closed));
    put(third);
    wait(moved, Direction::read);
    ::close(other);
    ::close(third);
  });
}

TEST_F(DescriptorTest, WhatIsLeftOfAClosedFileIsDroppedWhenItsNumberIsTakenOver) {
  run([] {
    auto pair = std::make_unique<SocketPair>();
    const int fd = pair->a();
    auto old = create_task([fd] { wait_readable(fd); });
    settle();
    pair->close_silently(0);
    int other = -1;
    OwnedDescriptor owned = make(other);
    ASSERT_EQ(fd, owned.fd());
    EXPECT_THROW(await(old), FdError) << "it waited for another file";
    auto reader = create_task([&] { wait(owned, Direction::read); });
    settle();
    put(other);
    await(reader);
    ::close(other);
  });
}

TEST_F(DescriptorTest, ADescriptorThatATaskWaitsOnCannotBeTakenOver) {
  run([] {
    SocketPair pair;
    auto reader = create_task([&] { wait_readable(pair.a()); }, "by number");
    settle();
    const auto take_over = [&] { OwnedDescriptor(pair.a(), "Thing::adopt"); };
    const std::string said = message_of<BusyError>(take_over);
    EXPECT_TRUE(contains(said, "Thing::adopt")) << said;
    EXPECT_TRUE(contains(said, "task 'by number'")) << said;
    EXPECT_TRUE(is_open(pair.a())) << "it is still the caller's";
    EXPECT_FALSE(reader.is_done());
    pair.write(1, "x");
    await(reader);
  });
}

TEST_F(DescriptorTest, WhatCannotBeOwnedIsRefused) {
  EXPECT_THROW(OwnedDescriptor(0, "the test"), NoRunningLoopError);
  run([] {
    const auto take_nothing = [] { OwnedDescriptor(-1, "Thing::adopt"); };
    EXPECT_TRUE(contains(message_of<std::invalid_argument>(take_nothing), "Thing::adopt(fd -1)"));
  });
}

TEST_F(DescriptorTest, AFileIsAlwaysReady) {
  run([] {
    const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ASSERT_GE(file, 0);
    OwnedDescriptor owned{file, "the test"};
    const ExpectSuspends lets_others_run;
    wait(owned, Direction::read);
  });
}

TEST_F(DescriptorTest, DestroyedOnAnotherThreadOrAfterItsLoopItIsPlainlyClosed) {
  int other = -1;
  std::optional<OwnedDescriptor> kept;
  int fd = -1;
  run([&] {
    OwnedDescriptor owned = make(other);
    fd = owned.fd();
    auto reader = create_task([&] { wait(owned, Direction::read); });
    settle();
    put(other);
    await(reader);
    std::thread{[elsewhere = std::move(owned)]() mutable { elsewhere.close(); }}.join();
    EXPECT_FALSE(is_open(fd));
    ::close(other);

    // Whoever gets the number next has nothing of it.
    SocketPair pair;
    ASSERT_TRUE(pair.a() == fd || pair.b() == fd);
    EXPECT_FALSE(wait_readable(fd, 1s));
    pair.close(0);
    pair.close(1);

    kept = make(other);
    wait(*kept, Direction::write);
  });
  end_loop();
  fd = kept->fd();
  kept.reset();
  EXPECT_FALSE(is_open(fd));
  ::close(other);
}

TEST_F(DescriptorTest, InAnotherLoopItIsRefused) {
  run([] {
    int other = -1;
    OwnedDescriptor owned = make(other);
    std::thread{[&] {
      EventLoop elsewhere{make_backend("auto")};
      elsewhere.run([&] { EXPECT_THROW(wait(owned, Direction::read), InvalidStateError); });
    }}.join();
    ::close(other);
  });
}

TEST_F(DescriptorTest, L22_InAForkedChildClosingItLeavesTheParentsWatchAlone) {
  run([&] {
    int other = -1;
    OwnedDescriptor owned = make(other);
    auto reader = create_task([&] { wait(owned, Direction::read); });
    settle();
    const pid_t child = ::fork();
    if (child == 0) {
      owned.close();
      ::_exit(is_open(owned.fd()) ? 1 : 0);
    }
    int status = -1;
    ASSERT_EQ(child, ::waitpid(child, &status, 0));
    EXPECT_EQ(0, status);
    put(other);
    wait_for(reader, 1h);
    ::close(other);
  });
}

TEST_F(DescriptorTest, L22_AfterAForkTheChildWaitsOnWhatItInherited) {
  run([&] {
    int other = -1;
    OwnedDescriptor owned = make(other);
    put(other);
    wait(owned, Direction::read);
    take(owned.fd());
    const pid_t child = ::fork();
    if (child == 0) {
      after_fork();
      auto reader = create_task([&] { wait(owned, Direction::read); });
      settle();
      const bool waited = !reader.is_done();
      put(other);
      await(reader);
      ::_exit(waited ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(child, ::waitpid(child, &status, 0));
    EXPECT_EQ(0, status);
    ::close(other);
  });
}

}  // namespace
}  // namespace asyncio::test
