#include <asyncio/io/buffered_writer.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <string>

#include <asyncio/concurrency/timeout.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/io/internal/exclusive.h>

namespace asyncio {

using detail::Exclusive;
using lowlevel::CurrentTask;

namespace {

constexpr std::chrono::seconds closing_limit{1};

}  // namespace

BufferedWriter::BufferedWriter(Stream& stream)
    : stream_(&stream), loop_("BufferedWriter"), exceptions_(std::uncaught_exceptions()) {}

BufferedWriter::~BufferedWriter() {
  const bool excused = told_ || std::uncaught_exceptions() > exceptions_;
  if (buffer_.empty() || excused || !loop_.is_running_here()) return;
  loop_.report("BufferedWriter: " + std::to_string(unflushed()) +
                   " bytes were not flushed and are lost; call flush() or close() at the end",
               nullptr);
}

void BufferedWriter::write(ConstBytes data) {
  constexpr const char* call = "BufferedWriter::write";
  CurrentTask self = lowlevel::enter(call);
  const Exclusive exclusive{busy_, call};
  if (buffer_.size() + data.size() >= detail::ByteBuffer::block_size) return send(data);
  buffer_.append(data);
  self.spend();
}

void BufferedWriter::flush() {
  constexpr const char* call = "BufferedWriter::flush";
  lowlevel::enter(call);
  const Exclusive exclusive{busy_, call};
  send({});
}

void BufferedWriter::send(ConstBytes more) {
  const std::array<ConstBytes, 2> pieces{buffer_.bytes(), more};
  std::size_t accepted = 0;
  try {
    stream_->write_all(pieces, &accepted);
  } catch (...) {
    told_ = true;
    const std::size_t of_buffer = std::min(accepted, buffer_.size());
    buffer_.take(of_buffer);
    buffer_.append(more.subspan(accepted - of_buffer));
    throw;
  }
  told_ = false;
  buffer_.drop();
}

void BufferedWriter::close() {
  // Another task's write looks at the buffer, so that stays, and the write fails.
  if (busy_ || buffer_.empty()) return stream_->close();
  try {
    shield_for(closing_limit, [this] { flush(); });
  } catch (...) {
    buffer_.drop();
    stream_->close();
    throw;
  }
  stream_->close();
}

}  // namespace asyncio
