#include <asyncio/io/internal/blocking_io.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <system_error>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <asyncio/io/internal/sigpipe.h>
#include <asyncio/io/internal/system_error.h>

namespace asyncio::detail {

using lowlevel::CurrentTask;
using lowlevel::Direction;

namespace {

constexpr std::size_t most_at_once = 65536;

/// A thread is started with the mask of the one that starts it.  This one takes no signals: they
/// are for the program's own threads, and SIGPIPE for nobody.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

bool needs_thread(int error) noexcept {
  return error == EAGAIN || error == EOPNOTSUPP || error == ENOSYS;
}

}  // namespace

BlockingIo::BlockingIo(int fd, const char* call) : fd_(::fcntl(fd, F_DUPFD_CLOEXEC, 3)) {
  if (fd_.get() < 0) throw_io_error(call, fd);
}

bool BlockingIo::is_of(int fd) const noexcept {
  struct stat ours {};
  struct stat theirs {};
  return ::fstat(fd_.get(), &ours) == 0 && ::fstat(fd, &theirs) == 0 &&
         ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

Fd BlockingIo::make_bell(const char* call) {
  Fd bell{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  Fd other{bell.get() < 0 ? -1 : ::fcntl(bell.get(), F_DUPFD_CLOEXEC, 3)};
  if (other.get() < 0) throw_io_error(call, -1);
  const std::lock_guard lock{mutex_};
  std::swap(bell_, other);
  return bell;
}

void BlockingIo::wait_idle(Channel::Use& use, CurrentTask self) {
  for (;;) {
    std::uint64_t rings;
    // Before the look: what rings after it is heard.
    if (::read(use.fd(), &rings, sizeof rings) < 0) static_cast<void>(errno);
    {
      const std::lock_guard lock{mutex_};
      if (!busy_) return;
    }
    use.wait(self);
  }
}

template <class Work>
void BlockingIo::start(Work work, const char* call) {
  {
    const std::lock_guard lock{mutex_};
    busy_ = true;
  }
  const auto run = [self = shared_from_this(), work = std::move(work)] {
    const int error = work(*self);
    const std::lock_guard lock{self->mutex_};
    self->error_ = error;
    self->busy_ = false;
    const std::uint64_t ring = 1;
    // It fails only if it is ringing already.
    if (::write(self->bell_.get(), &ring, sizeof ring) < 0) static_cast<void>(errno);
  };
  try {
    const SignalsBlocked none_here;
    std::thread{run}.detach();
  } catch (const std::system_error& error) {
    const std::lock_guard lock{mutex_};
    busy_ = false;
    throw IoError(std::string{call} + ": no thread can be started to block in its place",
                  error.code());
  }
}

void BlockingIo::check_error(const char* call) {
  const std::lock_guard lock{mutex_};
  if (const int error = std::exchange(error_, 0)) throw_io_error(call, fd_.get(), error);
}

std::size_t BlockingIo::read_some(Channel& bell, std::span<std::byte> into, const char* call) {
  CurrentTask self = lowlevel::enter(call);
  Channel::Use use{bell, Direction::read, call};
  if (into.empty()) {
    self.spend();
    return 0;
  }
  const auto fetch = [&]() -> std::size_t {
    const std::lock_guard lock{mutex_};
    const std::size_t count = std::min(into.size(), data_.size());
    std::memcpy(into.data(), data_.data(), count);
    data_.erase(0, count);
    return count;
  };
  wait_idle(use, self);  // for one that was let go of
  if (const std::size_t kept = fetch()) {
    self.spend();
    return kept;
  }
  check_error(call);
  iovec piece{into.data(), into.size()};
  const std::ptrdiff_t got = ::preadv2(fd_.get(), &piece, 1, -1, RWF_NOWAIT);
  if (got >= 0) {
    self.spend();
    return static_cast<std::size_t>(got);
  }
  if (!needs_thread(errno)) throw_io_error(call, fd_.get());
  start(
      [room = std::min(into.size(), most_at_once)](BlockingIo& io) {
        std::string data(room, '\0');
        std::ptrdiff_t count;
        do {
          count = ::read(io.fd_.get(), data.data(), data.size());
        } while (count < 0 && errno == EINTR);
        if (count < 0) return errno;
        data.resize(static_cast<std::size_t>(count));
        const std::lock_guard lock{io.mutex_};
        io.data_ = std::move(data);
        return 0;
      },
      call);
  wait_idle(use, self);
  check_error(call);
  return fetch();
}

void BlockingIo::write_all(Channel& bell, std::span<const ConstBytes> buffers,
                           std::size_t* accepted, const char* call) {
  std::size_t unasked = 0;
  std::size_t& done = accepted == nullptr ? unasked : *accepted;
  done = 0;
  CurrentTask self = lowlevel::enter(call);
  const Channel::Use use{bell, Direction::write, call};
  Channel::Use heard{bell, Direction::read, call};
  const auto finish = [&] {
    wait_idle(heard, self);
    check_error(call);
  };
  finish();  // what was let go of
  for (const ConstBytes& buffer : buffers) {
    for (ConstBytes rest = buffer; !rest.empty();) {
      const ConstBytes piece = rest.first(std::min(rest.size(), most_at_once));
      const std::size_t count = write_piece(piece, done, call, finish);
      rest = rest.subspan(count);
      self.spend();
    }
  }
  if (done == 0) self.spend();
}

template <class Finish>
std::size_t BlockingIo::write_piece(ConstBytes piece, std::size_t& done, const char* call,
                                    const Finish& finish) {
  const iovec from{const_cast<std::byte*>(piece.data()), piece.size()};
  const std::ptrdiff_t sent = ::pwritev2(fd_.get(), &from, 1, -1, RWF_NOWAIT | rwf_nosignal);
  if (sent > 0) {
    done += static_cast<std::size_t>(sent);
    return static_cast<std::size_t>(sent);
  }
  if (sent < 0 && !needs_thread(errno)) throw_io_error(call, fd_.get());
  {
    const std::lock_guard lock{mutex_};
    data_ = text(piece);
    written_ = 0;
  }
  start(
      [](BlockingIo& io) {
        // Nobody else touches the text while a thread is at work.
        while (io.written_ < io.data_.size()) {
          const std::ptrdiff_t count =
              ::write(io.fd_.get(), io.data_.data() + io.written_, io.data_.size() - io.written_);
          if (count < 0 && errno != EINTR) return errno;
          if (count > 0) io.written_ += static_cast<std::size_t>(count);
        }
        return 0;
      },
      call);
  const std::size_t before = done;
  done += piece.size();  // what the thread has it writes, whatever becomes of this task
  try {
    finish();
  } catch (const IoError&) {
    done = before + written_;
    throw;
  }
  return piece.size();
}

}  // namespace asyncio::detail
