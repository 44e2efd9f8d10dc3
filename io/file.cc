#include <asyncio/io/file.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

#include <asyncio/core/errors.h>
#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/thread.h>
#include <asyncio/io/errors.h>
#include <asyncio/io/fd.h>
#include <asyncio/io/internal/file_calls.h>
#include <asyncio/io/internal/system_error.h>

namespace asyncio {

using detail::file_lane;
using lowlevel::CurrentTask;

File File::open(const std::string& path, const FileOptions& options) {
  constexpr const char* call = "File::open";
  lowlevel::enter(call);
  const bool changes = options.create || options.truncate;
  if ((!options.read && !options.write) || (changes && !options.write) ||
      (options.exclusive && !options.create) || path.find('\0') != path.npos) {
    throw std::invalid_argument(std::string{call} + "(" + path +
                                "): it has to read or write; .create and .truncate go with "
                                ".write, .exclusive with .create; and a path has no NUL");
  }
  Fd fd = to_thread(file_lane, [&] { return detail::open_file(path, options, call); });
  return File{std::make_shared<Fd>(std::move(fd))};
}

std::shared_ptr<Fd> File::open_fd(const char* call) const {
  if (fd_ == nullptr) throw ClosedError(std::string{call} + ": it is closed already");
  return fd_;
}

int File::fd() const noexcept { return fd_ == nullptr ? -1 : fd_->get(); }

std::size_t File::read_at(std::span<std::byte> into, std::uint64_t offset) const {
  constexpr const char* call = "File::read_at";
  CurrentTask self = lowlevel::enter(call);
  const std::shared_ptr<Fd> fd = open_fd(call);
  std::size_t done = 0;
  while (done < into.size()) {
    const auto got = detail::read_in_memory(fd->get(), into.subspan(done), offset + done);
    if (got < 0) {
      return done + to_thread(file_lane, [&] {
               return detail::read_fully(fd->get(), into.subspan(done), offset + done, call);
             });
    }
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  self.spend();
  return done;
}

void File::write_at(ConstBytes data, std::uint64_t offset) const {
  constexpr const char* call = "File::write_at";
  lowlevel::enter(call);
  const std::shared_ptr<Fd> fd = open_fd(call);
  to_thread(file_lane, [&] { detail::write_fully(fd->get(), data, offset, call); });
}

std::uint64_t File::size() const {
  constexpr const char* call = "File::size";
  lowlevel::enter(call);
  const std::shared_ptr<Fd> fd = open_fd(call);
  return to_thread(file_lane, [&] {
    struct stat info {};
    if (::fstat(fd->get(), &info) != 0) detail::throw_io_error(call, fd->get());
    return static_cast<std::uint64_t>(info.st_size);
  });
}

void File::sync() const {
  constexpr const char* call = "File::sync";
  lowlevel::enter(call);
  const std::shared_ptr<Fd> fd = open_fd(call);
  to_thread(file_lane, [&] {
    if (::fsync(fd->get()) != 0) detail::throw_io_error(call, fd->get());
  });
}

void File::close() {
  constexpr const char* call = "File::close";
  lowlevel::enter(call);
  if (fd_ == nullptr) return;
  std::shared_ptr<Fd> fd = std::exchange(fd_, nullptr);
  to_thread(file_lane, [&] {
    // The last call that is at work closes it, if there is one.
    if (fd.use_count() == 1) detail::close_file(std::move(*fd), call);
  });
}

std::string read_file(const std::string& path, std::size_t limit) {
  constexpr const char* call = "read_file";
  lowlevel::enter(call);
  return to_thread(file_lane, [&] {
    const Fd fd = detail::open_file(path, {}, call);
    const std::string what = std::string{call} + "(" + path + ")";
    struct stat info {};
    const bool known = ::fstat(fd.get(), &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0;
    // One byte more than there is finds the end.  Files of /proc say that they have none.
    std::size_t room = known ? static_cast<std::size_t>(info.st_size) + 1 : 4096;
    std::string all;
    for (;; room *= 2) {
      const std::size_t had = all.size();
      all.resize(had + std::min(room, limit - had + 1));
      const std::span<std::byte> space = std::as_writable_bytes(std::span{all}).subspan(had);
      const std::size_t got = detail::read_fully(fd.get(), space, had, what);
      all.resize(had + got);
      if (all.size() > limit) {
        throw LimitError(
            what + ": it has more than " + std::to_string(limit) + " bytes, which is the limit",
            limit);
      }
      if (got < space.size()) return all;
    }
  });
}

void write_file(const std::string& path, ConstBytes data, mode_t mode) {
  constexpr const char* call = "write_file";
  lowlevel::enter(call);
  to_thread(file_lane, [&] {
    const FileOptions options{
        .read = false, .write = true, .create = true, .truncate = true, .mode = mode};
    Fd fd = detail::open_file(path, options, call);
    const std::string what = std::string{call} + "(" + path + ")";
    detail::write_fully(fd.get(), data, 0, what);
    detail::close_file(std::move(fd), what);
  });
}

}  // namespace asyncio
