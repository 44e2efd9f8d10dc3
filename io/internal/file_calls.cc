#include <asyncio/io/internal/file_calls.h>

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <asyncio/io/errors.h>
#include <asyncio/io/internal/system_error.h>

namespace asyncio::detail {
namespace {

[[noreturn]] void throw_file_error(const std::string& what, int error = errno) {
  throw IoError(what, error_code_of(error));
}

}  // namespace

Fd open_file(const std::string& path, const FileOptions& options, const char* call) {
  const std::string what = std::string{call} + "(" + path + ")";
  const int access = !options.write ? O_RDONLY : options.read ? O_RDWR : O_WRONLY;
  // Without O_NONBLOCK a pipe that nobody writes to would keep the thread for ever.
  const int flags = access | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (options.create ? O_CREAT : 0) |
                    (options.exclusive ? O_EXCL : 0) | (options.truncate ? O_TRUNC : 0);
  int number;
  do {
    number = ::open(path.c_str(), flags, options.mode);
  } while (number < 0 && errno == EINTR);
  if (number < 0) throw_file_error(what);
  Fd fd{number};
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) throw_file_error(what);
  if (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode)) {
    throw_file_error(what +
                         ", a pipe: open(2) it with O_NONBLOCK and give it to "
                         "PipeReader::adopt or PipeWriter::adopt",
                     ESPIPE);
  }
  if (S_ISDIR(info.st_mode)) throw_file_error(what, EISDIR);
  return fd;
}

std::size_t read_fully(int fd, std::span<std::byte> into, std::uint64_t offset,
                       const std::string& what) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t got =
        ::pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (got == 0) break;
    if (got > 0) {
      done += static_cast<std::size_t>(got);
    } else if (errno != EINTR) {
      throw_file_error(what);
    }
  }
  return done;
}

void write_fully(int fd, ConstBytes data, std::uint64_t offset, const std::string& what) {
  for (std::size_t done = 0; done < data.size();) {
    const ssize_t put =
        ::pwrite(fd, data.data() + done, data.size() - done, static_cast<off_t>(offset + done));
    if (put > 0) {
      done += static_cast<std::size_t>(put);
    } else if (put == 0 || errno != EINTR) {
      throw_file_error(what, put == 0 ? EIO : errno);
    }
  }
}

void close_file(Fd fd, const std::string& what) {
  // Not again after EINTR: on Linux it is closed by then.
  if (::close(std::move(fd).release()) != 0 && errno != EINTR) throw_file_error(what);
}

std::ptrdiff_t read_in_memory(int fd, std::span<std::byte> into, std::uint64_t offset) noexcept {
  iovec piece{into.data(), into.size()};
  return ::preadv2(fd, &piece, 1, static_cast<off_t>(offset), RWF_NOWAIT);
}

}  // namespace asyncio::detail
