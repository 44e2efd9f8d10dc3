#include <asyncio/io/copy.h>

#include <chrono>
#include <exception>
#include <string>

#include <asyncio/concurrency/task_group.h>
#include <asyncio/concurrency/timeout.h>
#include <asyncio/core/exception_group.h>
#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/loop.h>
#include <asyncio/io/detail/byte_buffer.h>
#include <asyncio/io/errors.h>
#include <asyncio/io/internal/splice.h>

namespace asyncio {
namespace {

using namespace std::chrono_literals;
using lowlevel::CurrentTask;
using lowlevel::Direction;

constexpr const char* copy_call = "copy";
constexpr Duration longest_farewell = 1s;

/// What a copy has read and not written.
class Copy {
 public:
  Copy(Stream& from, Stream& to) : from_(from), to_(to) {}

  std::uint64_t run(CurrentTask self) {
    while (read()) {
      write();
      if (!filled_) continue;
      detail::Channel* const source = from_.channel(Direction::read);
      if (source != nullptr && to_.channel(Direction::write) != nullptr) {
        copied_ += splice_.move(self, *source, to_, copy_call);
        if (splice_.is_usable()) filled_ = false;  // no more is there, or not much
      }
    }
    return copied_;
  }

  /// For a copy that was cancelled: writes what it had read, for a while.
  void finish(CurrentTask self) {
    try {
      shield_for(longest_farewell, [&] {
        write();
        if (splice_.held() > 0) splice_.empty(self, to_, copy_call);
      });
    } catch (const TimeoutException&) {
      const lowlevel::LoopRef loop{copy_call};
      loop.report(std::string{copy_call} + ": it was cancelled, and in a second more " +
                      std::to_string(buffer_.size() + splice_.held()) +
                      " bytes that it had read could not be written; they are lost",
                  nullptr);
    } catch (const Error&) {
      // Whoever would have read them is gone.
    }
  }

 private:
  /// Fills the buffer with what is there.  Returns false at the end.
  bool read() {
    if (!filled_) {
      buffer_.drop();
      from_.wait_readable();
    }
    const std::span<std::byte> space = buffer_.space(1);
    const std::size_t got = from_.read_some(space);
    filled_ = got == space.size();
    buffer_.added(got);
    return got > 0;
  }

  void write() {
    if (buffer_.empty()) return;
    struct Accepted {
      ~Accepted() {
        copy.buffer_.take(count);
        copy.copied_ += count;
      }
      Copy& copy;
      std::size_t count = 0;
    } accepted{*this};
    to_.write_all(buffer_.bytes(), &accepted.count);
  }

  Stream& from_;
  Stream& to_;
  detail::ByteBuffer buffer_;
  detail::Splice splice_;
  std::uint64_t copied_ = 0;
  bool filled_ = false;  ///< by the last read: more is likely there
};

/// One way of two.
void copy_to_the_end(Stream& from, Stream& to) {
  copy(from, to);
  try {
    to.shutdown_write();
  } catch (const IoError& error) {
    // A peer that is gone needs not be told; if it has not read everything, writing has failed, or
    // reading will.
    if (error.code() != std::errc::not_connected) throw;
  }
}

}  // namespace

std::uint64_t copy(Stream& from, Stream& to) {
  const CurrentTask self = lowlevel::enter(copy_call);
  Copy copy{from, to};
  try {
    return copy.run(self);
  } catch (const Cancelled&) {
    copy.finish(self);
    throw;
  }
}

void copy_both(Stream& one, Stream& other) {
  try {
    TaskGroup::run([&](TaskGroup& ways) {
      ways.spawn([&] { copy_to_the_end(one, other); }, "copy_both");
      copy_to_the_end(other, one);
    });
  } catch (const ExceptionGroup& failures) {
    std::rethrow_exception(failures.exceptions().front());
  }
}

}  // namespace asyncio
