// A kernel that watches no more descriptors, the same on every backend that asks it (case L16).
#include <atomic>
#include <cerrno>
#include <string>

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/descriptor.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/socket_pair.h>

namespace {

std::atomic<int> refused_fd{-1};
std::atomic<int> refused_with{0};

}  // namespace

// Stands before the C library's, for this program and the libraries that it loads.
extern "C" int epoll_ctl(int set, int operation, int fd, epoll_event* event) noexcept {
  if (operation == EPOLL_CTL_ADD && fd == refused_fd) {
    errno = refused_with;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_epoll_ctl, set, operation, fd, event));
}

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

/// While alive, the kernel refuses to watch this descriptor.
class Refusal {
 public:
  Refusal(int fd, int error) {
    refused_with = error;
    refused_fd = fd;
  }
  ~Refusal() { refused_fd = -1; }
  Refusal(const Refusal&) = delete;
  Refusal& operator=(const Refusal&) = delete;
};

class RefusalConformance : public LoopTest {
 protected:
  /// Waits in vain until it is refused.  Returns the message, or nothing on a backend that asks for
  /// no such thing.
  std::string message_of_refusal(int fd, int error) {
    try {
      EXPECT_FALSE(wait_readable(fd, 1h));
    } catch (const FdError& refused) {
      EXPECT_EQ(error, refused.code());
      return refused.what();
    }
    const std::string_view type = loop().backend().type();
    EXPECT_TRUE(type == "select" || type == "poll") << type;
    return {};
  }
};

void expect_cause(const std::string& message, std::string_view cause) {
  if (message.empty()) return;
  EXPECT_TRUE(contains(message, cause)) << message;
  EXPECT_TRUE(contains(message, "the kernel refuses to watch it")) << message;
  EXPECT_FALSE(contains(message, "closed")) << message;
}

TEST_F(RefusalConformance, L16_AUserWhoWatchesTooManyIsTold) {
  run([&] {
    const SocketPair pair;
    std::string message;
    {
      const Refusal refusal{pair.a(), ENOSPC};
      message = message_of_refusal(pair.a(), ENOSPC);
    }
    expect_cause(message, "No space left on device");
    expect_cause(message, message.empty() ? "" : "fs.epoll.max_user_watches");
    pair.write(1, "x");
    wait_readable(pair.a());  // as soon as the kernel does
  });
}

TEST_F(RefusalConformance, L16_AKernelWithoutMemoryIsNamed) {
  run([&] {
    const SocketPair pair;
    const Refusal refusal{pair.a(), ENOMEM};
    expect_cause(message_of_refusal(pair.a(), ENOMEM), "Cannot allocate memory");
  });
}

TEST_F(RefusalConformance, L16_AWatchThatTheKernelRefusesToMakeAnewNamesTheCause) {
  run([&] {
    const SocketPair pair;
    std::string message;
    auto waiting = create_task([&] { message = message_of_refusal(pair.a(), ENOSPC); });
    settle();
    const Refusal refusal{pair.a(), ENOSPC};
    after_fork();  // makes the kernel's objects anew, also without one
    await(waiting);
    expect_cause(message, "No space left on device");
  });
}

TEST_F(RefusalConformance, L16_WhoOwnsTheDescriptorIsToldTheCauseToo) {
  run([&] {
    const SocketPair pair;
    lowlevel::OwnedDescriptor owned{::dup(pair.a()), "a test"};
    const Refusal refusal{owned.fd(), ENOSPC};
    const TimePoint deadline = loop().now() + 1h;
    try {
      EXPECT_FALSE(owned.wait_until(lowlevel::enter("a test"), lowlevel::Direction::read, deadline,
                                    "a test"));
    } catch (const FdError& refused) {
      EXPECT_EQ(ENOSPC, refused.code());
      expect_cause(refused.what(), "No space left on device");
    }
  });
}

TEST_F(RefusalConformance, L16_L17_OneThatWasClosedIsSaidToBe) {
  run([&] {
    SocketPair pair;
    pair.write(1, "x");
    auto waiting = create_task([&] {
      wait_readable(pair.a());
      EXPECT_EQ("x", pair.read(0));
      wait_readable(pair.a());
    });
    settle();
    pair.close_silently(0);
    const std::string message = message_of<FdError>([&] { await(waiting); });
    EXPECT_TRUE(contains(message, "it was closed while task")) << message;
  });
}

}  // namespace
}  // namespace asyncio::test
