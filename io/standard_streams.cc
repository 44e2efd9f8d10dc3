#include <asyncio/io/standard_streams.h>

#include <array>
#include <atomic>
#include <string>

#include <asyncio/core/errors.h>
#include <asyncio/core/lowlevel/loop.h>
#include <asyncio/io/internal/standard_end.h>

namespace asyncio {
namespace {

/// Which descriptors a loop of the program has.
constinit std::array<std::atomic<bool>, 3> taken{};

class Claim {
 public:
  Claim(int fd, const char* call) : taken_(taken[static_cast<std::size_t>(fd)]) {
    if (!taken_.exchange(true)) return;
    throw InvalidStateError(std::string{call} +
                            ": another loop has it; pass what is read or written between the "
                            "loops, for example with LoopHandle::call_soon_threadsafe()");
  }
  ~Claim() { taken_ = false; }
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;

 private:
  std::atomic<bool>& taken_;
};

constexpr std::array<const char*, 3> calls{"standard_input", "standard_output", "standard_error"};

template <class End, int Number, lowlevel::Direction Direction>
struct Standard {
  Claim claim{Number, calls[Number]};
  End stream{detail::open_standard(Number, Direction, calls[Number])};
};

template <class End, int Number, lowlevel::Direction Direction>
End& standard() {
  static lowlevel::LoopSlot<Standard<End, Number, Direction>> slot;
  return slot.here(calls[Number]).stream;
}

}  // namespace

PipeReader& standard_input() { return standard<PipeReader, 0, lowlevel::Direction::read>(); }
PipeWriter& standard_output() { return standard<PipeWriter, 1, lowlevel::Direction::write>(); }
PipeWriter& standard_error() { return standard<PipeWriter, 2, lowlevel::Direction::write>(); }

}  // namespace asyncio
