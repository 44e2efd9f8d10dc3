#include <asyncio/io/pipe.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <asyncio/core/errors.h>
#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/loop.h>
#include <asyncio/io/errors.h>
#include <asyncio/io/fd.h>
#include <asyncio/io/internal/system_error.h>

namespace asyncio {

using detail::PipeEnd;
using lowlevel::Direction;

namespace {

[[noreturn]] void throw_wrong_end(const char* call, const char* instead) {
  throw InvalidStateError(std::string{call} + ": " + instead);
}

/// Makes a descriptor from elsewhere one that does not block.
PipeEnd adopt_end(int fd, int unwanted_access, const char* call, const char* what) {
  const lowlevel::LoopRef needed{call};
  struct stat info {};
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fstat(fd, &info) != 0) detail::throw_io_error(call, fd);
  const bool is_pipe = S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode);
  if (!is_pipe || (flags & O_ACCMODE) == unwanted_access) {
    throw std::invalid_argument(std::string{call} + "(fd " + std::to_string(fd) + "): it is not " +
                                what +
                                "; TcpStream and UnixStream take sockets, and File opens files");
  }
  if (::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    detail::throw_io_error(call, fd);
  }
  return PipeEnd{fd, call};
}

void set_limit(PipeEnd& end, std::optional<Duration> limit, const char* call) {
  if (limit && *limit <= Duration::zero()) {
    throw std::invalid_argument(std::string{call} +
                                ": a limit is positive; std::nullopt waits for ever");
  }
  end.set_idle_timeout(limit);
}

}  // namespace

// ---- Reading ------------------------------------------------------------------------------------

PipeReader PipeReader::adopt(int fd) {
  return PipeReader{adopt_end(fd, O_WRONLY, "PipeReader::adopt", "the reading end of a pipe")};
}

std::size_t PipeReader::read_some(std::span<std::byte> into) {
  return end_.read_some(into, "PipeReader::read_some");
}

void PipeReader::wait_readable() { end_.wait_readable("PipeReader::wait_readable"); }

void PipeReader::write_all(std::span<const ConstBytes> /*buffers*/, std::size_t* accepted) {
  if (accepted != nullptr) *accepted = 0;
  throw_wrong_end("PipeReader::write_all", "this end is read from; write to the PipeWriter");
}

void PipeReader::shutdown_write() {
  throw_wrong_end("PipeReader::shutdown_write",
                  "this end is read from; shut down the PipeWriter, or close() this one");
}

detail::Channel* PipeReader::channel(Direction direction) noexcept {
  return direction == Direction::read ? end_.movable() : nullptr;
}

void PipeReader::set_idle_timeout(std::optional<Duration> limit) {
  set_limit(end_, limit, "PipeReader::set_idle_timeout");
}

// ---- Writing ------------------------------------------------------------------------------------

PipeWriter PipeWriter::adopt(int fd) {
  return PipeWriter{adopt_end(fd, O_RDONLY, "PipeWriter::adopt", "the writing end of a pipe")};
}

std::size_t PipeWriter::read_some(std::span<std::byte> /*into*/) {
  throw_wrong_end("PipeWriter::read_some", "this end is written to; read from the PipeReader");
}

void PipeWriter::wait_readable() {
  throw_wrong_end("PipeWriter::wait_readable", "this end is written to; wait for the PipeReader");
}

void PipeWriter::write_all(std::span<const ConstBytes> buffers, std::size_t* accepted) {
  end_.write_all(buffers, accepted, "PipeWriter::write_all");
}

void PipeWriter::shutdown_write() {
  constexpr const char* call = "PipeWriter::shutdown_write";
  lowlevel::CurrentTask self = lowlevel::enter(call);
  { const PipeEnd::Use alone{end_, Direction::write, call}; }
  end_.close();
  self.spend();
}

detail::Channel* PipeWriter::channel(Direction direction) noexcept {
  return direction == Direction::write ? end_.movable() : nullptr;
}

void PipeWriter::set_idle_timeout(std::optional<Duration> limit) {
  set_limit(end_, limit, "PipeWriter::set_idle_timeout");
}

// ---- Both ---------------------------------------------------------------------------------------

std::pair<PipeReader, PipeWriter> make_pipe() {
  constexpr const char* call = "make_pipe";
  const lowlevel::LoopRef needed{call};
  std::array<int, 2> fds{-1, -1};
  if (::pipe2(fds.data(), O_NONBLOCK | O_CLOEXEC) != 0) detail::throw_io_error(call, -1);
  Fd out{fds[0]};
  Fd in{fds[1]};
  PipeEnd reader{out.get(), call};
  std::move(out).release();
  PipeEnd writer{in.get(), call};
  std::move(in).release();
  return {PipeReader{std::move(reader)}, PipeWriter{std::move(writer)}};
}

}  // namespace asyncio
