#include <asyncio/core/internal/process/other_threads.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define ASYNCIO_SINGLE_THREADED __libc_single_threaded
#else
#define ASYNCIO_SINGLE_THREADED false
#endif

#include <asyncio/core/internal/fiber/sanitizers.h>

namespace asyncio::detail {

bool has_other_threads(std::size_t known) noexcept {
  if (ASYNCIO_SINGLE_THREADED) return false;
  constexpr std::size_t of_sanitizer = under_tsan ? 1 : 0;
  try {
    const std::filesystem::directory_iterator threads{"/proc/self/task"};
    const auto count = static_cast<std::size_t>(std::distance(begin(threads), end(threads)));
    return count > 1 + known + of_sanitizer;
  } catch (const std::exception&) {  // no /proc, or out of descriptors
    return true;
  }
}

}  // namespace asyncio::detail
