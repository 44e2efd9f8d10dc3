#include <asyncio/core/internal/process/thread_end.h>

namespace asyncio::detail {
namespace {

constinit thread_local bool ended = false;

}  // namespace

void watch_for_end_of_thread() noexcept {
  struct End {
    End() = default;
    ~End() { ended = true; }
    End(const End&) = delete;
    End& operator=(const End&) = delete;
  };
  static thread_local const End end;
  static_cast<void>(end);
}

bool thread_has_ended() noexcept { return ended; }

}  // namespace asyncio::detail
