// Programs over scopes, groups, locks and queues, read from bytes, that check what must always
// hold.
#pragma once

#include <cstddef>
#include <cstdint>

namespace asyncio::test {

/// Runs the program that `bytes` stand for on a loop of its own, in virtual time, on the backend of
/// the environment.  Every string of bytes is a program, and every program ends.
///
/// Ends the process, saying why, when an invariant does not hold: a permit, an item or a lock lost
/// or doubled, a task that outlives its scope, a loop that cannot end, something left behind.
void run_program(const std::uint8_t* bytes, std::size_t size);

}  // namespace asyncio::test
