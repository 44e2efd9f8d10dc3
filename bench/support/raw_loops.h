// The reference side of a comparison: the same work by hand on each raw loop.
#pragma once

#include <string_view>
#include <type_traits>

#include "bench_config.h"
#include "raw_epoll.h"
#include "raw_select.h"
#include "rows.h"
#if BENCH_HAVE_LIBEV
#include "raw_libev.h"
#endif
#if BENCH_HAVE_LIBEVENT
#include "raw_libevent.h"
#endif
#if BENCH_HAVE_LIBUV
#include "raw_libuv.h"
#endif

namespace bench {

/// Calls `add.operator()<Loop>()` for each raw loop that also has timers.
template <class Add>
void for_each_raw_timer_loop([[maybe_unused]] Add add) {
#if BENCH_HAVE_LIBEV
  add.template operator()<raw::Libev>();
#endif
#if BENCH_HAVE_LIBEVENT
  add.template operator()<raw::Libevent>();
#endif
#if BENCH_HAVE_LIBUV
  add.template operator()<raw::Libuv>();
#endif
}

/// Calls `add.operator()<Loop>()` for each raw loop.
template <class Add>
void for_each_raw_loop(Add add) {
  for_each_raw_timer_loop(add);
  add.template operator()<raw::Epoll>();
  add.template operator()<raw::Select>();
}

}  // namespace bench
