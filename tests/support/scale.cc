#include <asyncio/tests/support/scale.h>

#include <algorithm>
#include <cstdio>

#include <unistd.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif

namespace asyncio::test {
namespace {

#if defined(__has_feature)
#define ASYNCIO_TEST_HAS_FEATURE(x) __has_feature(x)
#else
#define ASYNCIO_TEST_HAS_FEATURE(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || ASYNCIO_TEST_HAS_FEATURE(address_sanitizer)
constexpr bool under_asan = true;
#else
constexpr bool under_asan = false;
#endif

#if defined(__SANITIZE_THREAD__) || ASYNCIO_TEST_HAS_FEATURE(thread_sanitizer)
constexpr bool under_tsan = true;
#else
constexpr bool under_tsan = false;
#endif

}  // namespace

bool under_valgrind() noexcept {
#ifdef RUNNING_ON_VALGRIND
  return RUNNING_ON_VALGRIND != 0;
#else
  return false;
#endif
}

bool watched() noexcept { return under_asan || under_tsan || under_valgrind(); }

std::size_t scaled(std::size_t full) {
  // A sanitizer keeps a megabyte or so for each fiber; valgrind is some fifty times slower.
  const std::size_t divisor = under_valgrind() || under_tsan ? 100 : under_asan ? 50 : 1;
  if (divisor == 1) return full;
  const std::size_t part = std::max<std::size_t>(full / divisor, 1);
  std::printf("scaled down from %zu to %zu: this build or run is watched\n", full, part);
  return part;
}

std::size_t resident_bytes() {
  std::size_t pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%*u %zu", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace asyncio::test
