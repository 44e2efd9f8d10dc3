#include <asyncio/io/internal/standard_end.h>

#include <array>
#include <cerrno>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <asyncio/core/lowlevel/loop.h>
#include <asyncio/io/fd.h>
#include <asyncio/io/internal/blocking_io.h>
#include <asyncio/io/internal/system_error.h>

namespace asyncio::detail {
namespace {

using lowlevel::Direction;

PipeEnd owning(Fd fd, const char* call, PipeEnd::Means means) {
  PipeEnd end{fd.get(), call, means};
  std::move(fd).release();
  return end;
}

/// Opens the same pipe or terminal once more, with flags of its own.  It may be refused: another
/// user made it, or there is no /proc.
Fd reopen(int fd, Direction direction) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  const int access = direction == Direction::read ? O_RDONLY : O_WRONLY;
  return Fd{::open(path.c_str(), access | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)};
}

/// Of each standard descriptor that needs a thread: it may be reading when its loop ends, and what
/// it reads is for the next one.
struct Kept {
  std::mutex mutex;
  std::array<std::shared_ptr<BlockingIo>, 3> io;
};
constinit Kept kept;

std::shared_ptr<BlockingIo> blocking_io_of(int fd, const char* call) {
  if (fd > 2) return std::make_shared<BlockingIo>(fd, call);
  const std::lock_guard lock{kept.mutex};
  std::shared_ptr<BlockingIo>& io = kept.io[static_cast<std::size_t>(fd)];
  if (io == nullptr || !io->is_of(fd)) io = std::make_shared<BlockingIo>(fd, call);
  return io;
}

}  // namespace

PipeEnd open_standard(int fd, Direction direction, const char* call) {
  const lowlevel::LoopRef needed{call};
  struct stat info {};
  if (::fstat(fd, &info) != 0) throw_io_error(call, fd);
  if (S_ISSOCK(info.st_mode)) {
    Fd own{::fcntl(fd, F_DUPFD_CLOEXEC, 3)};
    if (own.get() < 0) throw_io_error(call, fd);
    return owning(std::move(own), call, PipeEnd::Means::socket);
  }
  // A file would begin anew at offset 0, over what others have written.
  if (S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode)) {
    Fd own = reopen(fd, direction);
    if (own.get() >= 0) return owning(std::move(own), call, PipeEnd::Means::own);
  }
  std::shared_ptr<BlockingIo> io = blocking_io_of(fd, call);
  Fd bell = io->make_bell(call);
  PipeEnd end{bell.get(), call, std::move(io)};
  std::move(bell).release();
  return end;
}

}  // namespace asyncio::detail
