// What is done to files on threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <asyncio/core/lowlevel/thread_lane.h>
#include <asyncio/io/bytes.h>
#include <asyncio/io/fd.h>
#include <asyncio/io/file.h>

namespace asyncio::detail {

/// The threads of files.
inline constexpr lowlevel::ThreadLane file_lane{16};

/// As File::open(), on this thread.
Fd open_file(const std::string& path, const FileOptions& options, const char* call);
/// Reads until `into` is full or the file ends.  `what` names call and file in errors.
std::size_t read_fully(int fd, std::span<std::byte> into, std::uint64_t offset,
                       const std::string& what);
void write_fully(int fd, ConstBytes data, std::uint64_t offset, const std::string& what);
/// Throws what close(2) tells.
void close_file(Fd fd, const std::string& what);

/// Reads what the system has in memory.  Returns how much; 0 at the end; -1 if it has to be waited
/// for, or for an error.
std::ptrdiff_t read_in_memory(int fd, std::span<std::byte> into, std::uint64_t offset) noexcept;

}  // namespace asyncio::detail
