#include <asyncio/io/buffered_reader.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/io/errors.h>
#include <asyncio/io/internal/exclusive.h>

namespace asyncio {
namespace {

using detail::Exclusive;
using lowlevel::CurrentTask;

// A read that had less room than this would be a system call for little.
constexpr std::size_t least_space = 2048;

[[noreturn]] void throw_limit(const char* call, std::size_t limit, const std::string& instead) {
  throw LimitError(std::string{call} + ": more than " + std::to_string(limit) +
                       " bytes, which is the limit; nothing is lost: " + instead,
                   limit);
}

[[noreturn]] void throw_end(const char* call, std::size_t got, const std::string& before) {
  throw EndOfStreamError(std::string{call} + ": the stream ended after " + std::to_string(got) +
                             " bytes, before " + before,
                         got);
}

}  // namespace

BufferedReader::BufferedReader(Stream& stream, std::size_t limit)
    : stream_(&stream), limit_(limit) {
  if (limit == 0) {
    throw std::invalid_argument("BufferedReader: a limit is at least 1 byte, that of a line end");
  }
}

bool BufferedReader::fill() {
  if (buffer_.empty() && !likely_more_) {
    buffer_.drop();  // many connections wait, and few have data: only those have memory
    stream_->wait_readable();
  }
  const std::span<std::byte> space = buffer_.space(least_space);
  const std::size_t got = stream_->read_some(space);
  likely_more_ = got == space.size();
  buffer_.added(got);
  return got > 0;
}

std::string_view BufferedReader::take(std::size_t count) noexcept {
  const std::string_view taken = text(buffer_.bytes().first(count));
  buffer_.take(count);
  return taken;
}

std::size_t BufferedReader::read_some(std::span<std::byte> into) {
  constexpr const char* call = "BufferedReader::read_some";
  CurrentTask self = lowlevel::enter(call);
  const Exclusive exclusive{busy_, call};
  if (!buffer_.empty() || into.empty()) {
    self.spend();
  } else if (into.size() >= detail::ByteBuffer::block_size) {
    buffer_.drop();
    return stream_->read_some(into);
  } else {
    fill();
  }
  const std::size_t count = std::min(into.size(), buffer_.size());
  if (count > 0) std::memcpy(into.data(), take(count).data(), count);
  return count;
}

void BufferedReader::read_exactly(std::span<std::byte> into) {
  constexpr const char* call = "BufferedReader::read_exactly";
  CurrentTask self = lowlevel::enter(call);
  const Exclusive exclusive{busy_, call};
  const auto fail = [&](std::size_t got) {
    throw_end(call, got, "the " + std::to_string(into.size()) + " that were asked for");
  };
  if (into.size() <= buffer_.size()) self.spend();
  // What is long goes straight to where it is wanted; what is short is read with what follows it.
  const std::size_t there = std::min(buffer_.size(), into.size());
  std::size_t done = there;
  if (into.size() - there >= detail::ByteBuffer::block_size) {
    try {
      while (done < into.size()) {
        const std::size_t got = stream_->read_some(into.subspan(done));
        if (got == 0) fail(done);
        done += got;
      }
    } catch (...) {
      buffer_.append(into.subspan(there, done - there));
      throw;
    }
  } else {
    while (buffer_.size() < into.size()) {
      if (!fill()) fail(buffer_.size());
    }
    done = into.size();
  }
  const std::size_t from_buffer = std::min(buffer_.size(), into.size());
  if (from_buffer > 0) std::memcpy(into.data(), take(from_buffer).data(), from_buffer);
}

std::optional<std::size_t> BufferedReader::find(std::string_view delimiter, std::size_t limit,
                                                const char* call) {
  CurrentTask self = lowlevel::enter(call);
  const Exclusive exclusive{busy_, call};
  if (limit == 0) limit = limit_;
  std::size_t searched = 0;  // no delimiter begins before
  for (bool waited = false;; waited = true) {
    const std::string_view there = text(buffer_.bytes()).substr(0, limit);
    const std::size_t at = delimiter.size() == 1 ? there.find(delimiter.front(), searched)
                                                 : there.find(delimiter, searched);
    if (at != there.npos) {
      if (!waited) self.spend();
      return at + delimiter.size();
    }
    if (there.size() == limit) throw_limit(call, limit, "call it with a larger one");
    if (there.size() >= delimiter.size()) searched = there.size() - (delimiter.size() - 1);
    if (!fill()) return std::nullopt;
  }
}

std::string_view BufferedReader::read_until(std::string_view delimiter, std::size_t limit) {
  constexpr const char* call = "BufferedReader::read_until";
  if (delimiter.empty()) {
    throw std::invalid_argument(std::string{call} + ": a delimiter has at least one byte");
  }
  if (const auto size = find(delimiter, limit, call)) return take(*size);
  throw_end(call, buffer_.size(), "the delimiter");
}

std::optional<std::string_view> BufferedReader::read_line(std::size_t limit) {
  const auto size = find("\n", limit, "BufferedReader::read_line");
  if (!size && buffer_.empty()) return std::nullopt;
  std::string_view line = take(size.value_or(buffer_.size()));
  if (line.ends_with('\n')) line.remove_suffix(line.ends_with("\r\n") ? 2 : 1);
  return line;
}

std::string BufferedReader::read_all(std::size_t limit) {
  constexpr const char* call = "BufferedReader::read_all";
  lowlevel::enter(call);
  const Exclusive exclusive{busy_, call};
  do {
    if (buffer_.size() > limit) throw_limit(call, limit, "call it with a larger one");
  } while (fill());
  return std::string{take(buffer_.size())};
}

}  // namespace asyncio
