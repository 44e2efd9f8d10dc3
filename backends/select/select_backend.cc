// The select(2) backend, "select": no dependency.
//
// Facts about select that shape this file:
//  * The kernel takes bitmaps of any length; only the C library's fd_set stops at 1024 descriptors,
//    and its FD_SET aborts beyond.  So the bitmaps here are our own and grow, and only their
//    address is passed as an fd_set.
//  * select overwrites its sets with the answer, so it works on copies.  They are the whole cost,
//    which grows with the highest watched number, not with how many are watched.  Hence top_.
//  * One closed descriptor makes the whole call fail with EBADF and tells nothing about the others.
//    The closed ones are then searched for one by one, reported, and dropped.
//  * Above the size of the process's descriptor table the kernel neither looks at the bits nor
//    clears them.  The count it returns is right, so reading the answer stops at that count.
//  * An error shows in both sets, a hang-up only in the read set.  That is enough: sockets, pipes
//    and terminals that hang up become writable as well.
//  * The kernel is never early, but allows itself to be late by the timer slack of the thread,
//    usually 50 us, or by a thousandth of the time asked for, such as 5 ms in 5 s.  Hence
//    Precision::coarse.
#include <asyncio/core/backend_registry.h>

#include <fcntl.h>
#include <sys/select.h>
#include <time.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <system_error>
#include <vector>

#include <asyncio/core/errors.h>
#include <asyncio/core/time.h>

namespace asyncio::backends {
namespace {

using Word = unsigned long;  // NOLINT(google-runtime-int): what the kernel calls a word of a set
constexpr int kWordBits = std::numeric_limits<Word>::digits;

constexpr std::size_t word_of(int fd) { return static_cast<std::size_t>(fd / kWordBits); }
constexpr Word bit_of(int fd) { return Word{1} << (fd % kWordBits); }

bool is_closed(int fd) noexcept { return ::fcntl(fd, F_GETFD) == -1 && errno == EBADF; }

/// The bitmap of one direction.
struct Set {
  std::vector<Word> wanted;
  std::vector<Word> answer;  // what select wrote; meaningless between two waits

  void resize(std::size_t words) {
    wanted.resize(words);
    answer.resize(words);
  }
  void put(int fd, bool on) {
    Word& word = wanted[word_of(fd)];
    word = on ? word | bit_of(fd) : word & ~bit_of(fd);
  }
  fd_set* prepare(std::size_t words) {
    std::copy_n(wanted.data(), words, answer.data());
    return reinterpret_cast<fd_set*>(answer.data());
  }
};

class SelectBackend final : public EventLoopInterface {
 public:
  SelectBackend() : EventLoopInterface("select", Precision::coarse) {}

 private:
  int watch(int fd, Interest wanted) noexcept override {
    if (fd < 0) return any(wanted) ? EBADF : 0;
    if (word_of(fd) >= reads_.wanted.size()) {
      if (!any(wanted)) return 0;
      if (const int error = grow(fd); error != 0) return error;
    }
    reads_.put(fd, any(wanted & Interest::read));
    writes_.put(fd, any(wanted & Interest::write));
    if (any(wanted)) {
      top_ = std::max(top_, fd);
    } else if (fd == top_) {
      lower_top();
    }
    return 0;
  }

  void wait(TimePoint until, ReadySink& sink) override {
    const std::size_t words = top_ < 0 ? 0 : word_of(top_) + 1;
    const Timeout timeout = time_left(until);
    fd_set* const reads = reads_.prepare(words);
    fd_set* const writes = writes_.prepare(words);
    const int found = ::pselect(top_ + 1, reads, writes, nullptr, timeout.pointer(), nullptr);
    if (found >= 0) {
      report(found, words, sink);
    } else if (errno == EBADF) {
      drop_closed(words, sink);
    } else if (errno != EINTR) {
      throw BackendError("select cannot wait: " + std::generic_category().message(errno));
    }
  }

  void after_fork() override {}  // no kernel object to share

  /// Makes room for `fd`.  Only a number that is really open may cost memory.
  int grow(int fd) noexcept {
    if (is_closed(fd)) return EBADF;
    try {
      const std::size_t words = std::max(word_of(fd) + 1, 2 * reads_.wanted.size());
      writes_.resize(words);
      reads_.resize(words);  // last: watch() goes by its size
    } catch (const std::bad_alloc&) {
      return ENOMEM;
    }
    return 0;
  }

  Word watched(std::size_t word) const { return reads_.wanted[word] | writes_.wanted[word]; }

  /// Finds the highest watched number again.
  void lower_top() {
    for (std::size_t word = word_of(top_) + 1; word-- > 0;) {
      if (const Word bits = watched(word); bits != 0) {
        top_ = (static_cast<int>(word) + 1) * kWordBits - 1 - std::countl_zero(bits);
        return;
      }
    }
    top_ = -1;
  }

  /// A timeout for select.
  struct Timeout {
    bool forever = false;
    timespec time{};  // zero: a poll

    const timespec* pointer() const { return forever ? nullptr : &time; }
  };

  static Timeout time_left(TimePoint until) {
    Timeout timeout;
    if (until == TimePoint::max()) {
      timeout.forever = true;
      return timeout;
    }
    if (until == TimePoint::min()) return timeout;  // a poll need not look at the clock
    const TimePoint now = Clock::now();
    if (until <= now) return timeout;
    const Duration left = until - now;
    const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
    timeout.time.tv_sec = seconds.count();
    timeout.time.tv_nsec = (left - seconds).count();
    return timeout;
  }

  /// Reports an answer of `found` bits.
  void report(int found, std::size_t words, ReadySink& sink) {
    for (std::size_t word = 0; found > 0 && word < words; ++word) {
      const Word reads = reads_.answer[word];
      const Word writes = writes_.answer[word];
      for (Word left = reads | writes; found > 0 && left != 0; left &= left - 1) {
        const int fd = static_cast<int>(word) * kWordBits + std::countr_zero(left);
        Interest directions = Interest::none;
        if ((reads & bit_of(fd)) != 0) directions = directions | Interest::read;
        if ((writes & bit_of(fd)) != 0) directions = directions | Interest::write;
        found -= directions == Interest::both ? 2 : 1;
        sink.ready(fd, directions);
      }
    }
  }

  void drop_closed(std::size_t words, ReadySink& sink) {
    for (std::size_t word = 0; word < words; ++word) {
      for (Word left = watched(word); left != 0; left &= left - 1) {
        const int fd = static_cast<int>(word) * kWordBits + std::countr_zero(left);
        if (!is_closed(fd)) continue;
        reads_.put(fd, false);
        writes_.put(fd, false);
        sink.dead(fd);
      }
    }
    if (top_ >= 0) lower_top();
  }

  Set reads_;
  Set writes_;
  int top_ = -1;  // the highest watched number, -1 for none
};

}  // namespace

BackendInfo select();  // the generated table declares it likewise

BackendInfo select() {
  return {"select", 100, [] { return std::make_unique<SelectBackend>(); }};
}

}  // namespace asyncio::backends
