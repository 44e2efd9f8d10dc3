// The project's own side of a comparison: one row for each backend.
#pragma once

#include <concepts>
#include <string>
#include <utility>

#include <asyncio/asyncio.h>

#include "rows.h"

namespace bench {

/// Runs `main` as the main task of a loop on `backend`.
template <std::invocable F>
auto run_on(const std::string& backend, F&& main) {
  return asyncio::run(std::forward<F>(main), {.backend = backend});
}

/// Adds contenders asyncio@ev, asyncio@event and asyncio@select: those that are built.
/// `body(State&, backend)`.
template <std::invocable<State&, const std::string&> Body>
void add_on_backends(Rows& rows, const Params& params, Body body) {
  for (const std::string& backend : asyncio::available_backends()) {
    rows.add("asyncio@" + backend, params, [=](State& state) { body(state, backend); });
  }
}

}  // namespace bench
