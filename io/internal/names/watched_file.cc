#include <asyncio/io/internal/names/watched_file.h>

#include <fstream>
#include <iterator>

#include <sys/stat.h>

namespace asyncio::detail {

bool WatchedFile::has_changed() {
  struct stat state {};
  std::optional<Stamp> now;
  if (::stat(path_.c_str(), &state) == 0) {
    now = Stamp{state.st_dev, state.st_ino, static_cast<std::uint64_t>(state.st_size),
                state.st_mtim.tv_sec, state.st_mtim.tv_nsec};
  }
  if (seen_ && now == stamp_) return false;
  seen_ = true;
  stamp_ = now;
  return true;
}

std::string WatchedFile::read() const {
  std::ifstream file{path_, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

}  // namespace asyncio::detail
