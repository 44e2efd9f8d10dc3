// A stream whose other end is the test: what comes, in which pieces, and how much is accepted.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <deque>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>

namespace asyncio::test {

class ScriptedStream final : public Stream {
 public:
  ScriptedStream() = default;
  explicit ScriptedStream(std::initializer_list<std::string_view> pieces) {
    for (const std::string_view piece : pieces) come(piece);
  }

  /// One read gives no more than one piece.
  void come(std::string_view piece) {
    pieces_.emplace_back(piece);
    changed_.set();
  }
  void end() {
    ended_ = true;
    changed_.set();
  }
  /// So many bytes are accepted from now on; then writes wait.
  void accept(std::size_t count) {
    room_ = count;
    changed_.set();
  }
  /// The next write fails, once the room is used up.
  void fail_when_full(int error) { error_ = error; }

  using Stream::write_all;
  std::size_t read_some(std::span<std::byte> into) override {
    ++reads;
    if (into.empty()) return 0;
    wait_readable();
    if (pieces_.empty()) return 0;
    std::string& piece = pieces_.front();
    const std::size_t count = std::min(into.size(), piece.size());
    std::memcpy(into.data(), piece.data(), count);
    piece.erase(0, count);
    if (piece.empty()) pieces_.pop_front();
    return count;
  }
  void wait_readable() override {
    checkpoint();
    while (pieces_.empty() && !ended_) wait();
  }
  void write_all(std::span<const ConstBytes> buffers, std::size_t* accepted) override {
    checkpoint();
    ++writes;
    if (accepted != nullptr) *accepted = 0;
    for (ConstBytes buffer : buffers) {
      while (!buffer.empty()) {
        const std::size_t count = std::min(room_, buffer.size());
        written += text(buffer.first(count));
        buffer = buffer.subspan(count);
        room_ -= count;
        if (accepted != nullptr) *accepted += count;
        if (buffer.empty()) break;
        if (error_ != 0) throw IoError("write", {error_, std::system_category()});
        wait();
      }
    }
  }
  void shutdown_write() override {}
  void close() override {
    closed_ = true;
    changed_.set();
  }
  bool is_closed() const noexcept override { return closed_; }

  std::string written;
  int reads = 0;
  int writes = 0;

 private:
  void wait() {
    if (closed_) throw ClosedError("ScriptedStream: closed");
    changed_.clear();
    changed_.wait();
    if (closed_) throw ClosedError("ScriptedStream: closed");
  }

  std::deque<std::string> pieces_;
  std::size_t room_ = std::numeric_limits<std::size_t>::max();
  int error_ = 0;
  bool ended_ = false;
  bool closed_ = false;
  Event changed_;
};

}  // namespace asyncio::test
