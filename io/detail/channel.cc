#include <asyncio/io/detail/channel.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <utility>

#include <sys/uio.h>

#include <asyncio/core/errors.h>
#include <asyncio/io/internal/system_error.h>

namespace asyncio::detail {

using lowlevel::CurrentTask;
using lowlevel::Direction;
using lowlevel::Wake;

// ---- Who uses it --------------------------------------------------------------------------------

Channel::Use::Use(Channel& channel, Direction direction, const char* call)
    : channel_(&channel), call_(call), direction_(direction) {
  channel.check(call);
  Use*& place = channel.uses_[static_cast<std::size_t>(direction)];
  if (place != nullptr) [[unlikely]] {
    throw BusyError(std::string{call} + "(fd " + std::to_string(channel.fd()) +
                    "): another task is in " + place->call_ +
                    "; one task at a time may read, and one may write");
  }
  place = this;
}

Channel::Use::~Use() {
  if (channel_ != nullptr) channel_->uses_[static_cast<std::size_t>(direction_)] = nullptr;
}

void Channel::Use::throw_closed() const {
  throw ClosedError(std::string{call_} + ": closed while a task was in it");
}

void Channel::Use::wait(CurrentTask self) {
  Channel& here = channel();
  const Duration limit = here.idle_timeout_;
  if (limit == Duration::max()) [[likely]] {
    here.descriptor_.wait(self, direction_, call_);
    return;
  }
  if (wait_until(self, deadline_after(here.loop().now(), limit))) return;
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(limit);
  throw TimeoutException(std::string{call_} + ": the peer was silent for " +
                         std::to_string(ms.count()) + " ms, the idle timeout");
}

bool Channel::Use::wait_until(CurrentTask self, TimePoint deadline) {
  return channel().descriptor_.wait_until(self, direction_, deadline, call_);
}

void Channel::Use::pause(CurrentTask self, Duration time) {
  static constexpr lowlevel::WaitReason reason{"timer"};
  const TimePoint end = deadline_after(channel().loop().now(), time);
  lowlevel::Waiter waiter{reason};
  pausing_ = &waiter;
  const Wake outcome = self.park_until(waiter, end);
  pausing_ = nullptr;
  if (self.checked(outcome) == Wake::broken) throw_closed();
}

// ---- One owner, who may move --------------------------------------------------------------------

Channel::Channel(Channel&& other) noexcept
    : has_more_(other.has_more_),
      descriptor_(std::move(other.descriptor_)),
      uses_(std::exchange(other.uses_, {})),
      idle_timeout_(other.idle_timeout_) {
  lead_uses();
}

Channel& Channel::operator=(Channel&& other) noexcept {
  if (this == &other) return *this;
  close();
  has_more_ = other.has_more_;
  descriptor_ = std::move(other.descriptor_);
  uses_ = std::exchange(other.uses_, {});
  idle_timeout_ = other.idle_timeout_;
  lead_uses();
  return *this;
}

void Channel::lead_uses() noexcept {
  for (Use* use : uses_) {
    if (use != nullptr) use->channel_ = this;
  }
}

void Channel::drop_uses() noexcept {
  for (Use*& use : uses_) {
    if (use == nullptr) continue;
    use->channel_ = nullptr;
    if (use->pausing_ != nullptr) lowlevel::wake(*use->pausing_, Wake::broken);
    use = nullptr;
  }
}

void Channel::close() noexcept {
  drop_uses();
  descriptor_.close();
}

int Channel::release() noexcept {
  drop_uses();
  return descriptor_.release();
}

// ---- Reading ------------------------------------------------------------------------------------

void Channel::wait_readable(const char* call) {
  const CurrentTask self = lowlevel::enter(call);
  Use use{*this, Direction::read, call};
  use.wait(self);
  use.channel().has_more_ = true;
}

std::size_t Channel::read_some(std::span<std::byte> into, Read read, const char* call) {
  CurrentTask self = lowlevel::enter(call);
  Use use{*this, Direction::read, call};
  bool waited = false;
  if (!into.empty() && !has_more_) {
    use.wait(self);
    waited = true;
  }
  std::ptrdiff_t got = 0;
  while (!into.empty()) {
    got = read(use.fd(), into);
    if (got >= 0) {
      // Once ended it stays readable for good.
      use.channel().has_more_ = got == 0 || static_cast<std::size_t>(got) == into.size();
      break;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) throw_io_error(call, use.fd());
    use.wait(self);
    waited = true;
  }
  if (!waited) self.spend();
  return static_cast<std::size_t>(got);
}

// ---- Writing ------------------------------------------------------------------------------------

namespace {

/// Where a write of several buffers has come to.
class Rest {
 public:
  explicit Rest(std::span<const ConstBytes> buffers) noexcept : buffers_(buffers) { skip_empty(); }

  bool empty() const noexcept { return buffers_.empty(); }

  /// The next pieces, as many as `pieces` has room for.  Returns how many.
  std::size_t next(std::span<iovec> pieces) const noexcept {
    std::size_t count = 0;
    std::size_t offset = offset_;
    for (const ConstBytes& buffer : buffers_) {
      if (count == pieces.size()) break;
      const ConstBytes piece = buffer.subspan(std::exchange(offset, 0));
      if (piece.empty()) continue;
      pieces[count++] = {const_cast<std::byte*>(piece.data()), piece.size()};
    }
    return count;
  }

  void advance(std::size_t bytes) noexcept {
    while (bytes > 0) {
      const std::size_t of_first = std::min(bytes, buffers_.front().size() - offset_);
      offset_ += of_first;
      bytes -= of_first;
      skip_empty();
    }
  }

 private:
  void skip_empty() noexcept {
    while (!buffers_.empty() && offset_ == buffers_.front().size()) {
      buffers_ = buffers_.subspan(1);
      offset_ = 0;
    }
  }

  std::span<const ConstBytes> buffers_;
  std::size_t offset_ = 0;  ///< in the first one
};

// A task's stack is small; the kernel would take 1,024 (IOV_MAX).
constexpr std::size_t pieces_at_once = 64;

/// Writes what it can of the next pieces, which have `wanted` bytes.  Returns how much, or -1.
/// The pieces are on the stack of a call of its own, which ends before the task may wait.
[[gnu::noinline]] std::ptrdiff_t write_some(int fd, const Rest& rest, Channel::Write write,
                                            std::size_t& wanted) {
  std::array<iovec, pieces_at_once> room;
  const std::span<const iovec> pieces = std::span{room}.first(rest.next(room));
  wanted = 0;
  for (const iovec& piece : pieces) wanted += piece.iov_len;
  return write(fd, pieces);
}

}  // namespace

void Channel::write_all(std::span<const ConstBytes> buffers, std::size_t* accepted, Write write,
                        const char* call) {
  std::size_t unasked = 0;
  std::size_t& done = accepted == nullptr ? unasked : *accepted;
  done = 0;
  CurrentTask self = lowlevel::enter(call);
  Use use{*this, Direction::write, call};
  Rest rest{buffers};
  bool waited = false;
  while (!rest.empty()) {
    std::size_t wanted = 0;
    const std::ptrdiff_t sent = write_some(use.fd(), rest, write, wanted);
    if (sent >= 0) {
      done += static_cast<std::size_t>(sent);
      rest.advance(static_cast<std::size_t>(sent));
      // What was cut short was cut short by a full kernel: another try would be one for nothing.
      if (static_cast<std::size_t>(sent) == wanted) continue;
    } else if (errno == EINTR) {
      continue;
    } else if (errno != EAGAIN) {
      throw_io_error(call, use.fd());
    }
    use.wait(self);
    waited = true;
  }
  if (!waited) self.spend();
}

}  // namespace asyncio::detail
