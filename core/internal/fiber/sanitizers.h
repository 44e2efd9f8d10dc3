// Which sanitizers watch this build.  The compiler tells; the user has no macro to set.
#pragma once

#if defined(__has_feature)
#define ASYNCIO_HAS_FEATURE(x) __has_feature(x)
#else
#define ASYNCIO_HAS_FEATURE(x) 0
#endif

namespace asyncio::detail {

#if defined(__SANITIZE_ADDRESS__) || ASYNCIO_HAS_FEATURE(address_sanitizer)
#define ASYNCIO_ASAN 1
inline constexpr bool under_asan = true;
#else
inline constexpr bool under_asan = false;
#endif

#if defined(__SANITIZE_THREAD__) || ASYNCIO_HAS_FEATURE(thread_sanitizer)
#define ASYNCIO_TSAN 1
inline constexpr bool under_tsan = true;
#else
inline constexpr bool under_tsan = false;
#endif

}  // namespace asyncio::detail
