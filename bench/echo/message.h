// What the load generator sends: no two messages are alike, so an echo that mixes up connections,
// repeats itself, or is shifted by a byte cannot pass for the right one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace echo_bench {

constexpr std::size_t kSmallestMessage = 8;

/// Fills `out` (kSmallestMessage bytes or more): the connection's number, the message's number in
/// it, then pseudo-random bytes that depend on both.
inline void fill_message(std::span<char> out, std::uint32_t connection, std::uint32_t sequence) {
  std::uint64_t state = (std::uint64_t{connection} << 32) | sequence;
  std::memcpy(out.data(), &state, sizeof(state));
  for (std::size_t at = sizeof(state); at < out.size(); at += sizeof(state)) {
    // splitmix64: every state gives another word, and neighbours look unrelated.
    state += 0x9e3779b97f4a7c15U;
    std::uint64_t word = state;
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9U;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebU;
    word ^= word >> 31;
    std::memcpy(out.data() + at, &word, std::min(sizeof(word), out.size() - at));
  }
}

}  // namespace echo_bench
