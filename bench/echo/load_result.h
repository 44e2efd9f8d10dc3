// What one measured phase gave, and the one-line JSON in which it travels from the load generator
// to the demo driver.
#pragma once

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

namespace echo_bench {

struct LoadResult {
  std::uint32_t connections = 0;
  std::uint32_t size = 0;      ///< bytes in a message
  double seconds = 0;          ///< from the first request to the last reply
  std::uint64_t requests = 0;  ///< answered in full
  double requests_per_second = 0;
  double p50_us = 0;
  double p99_us = 0;
  double p999_us = 0;
  double max_us = 0;
  std::uint64_t byte_errors = 0;       ///< bytes that came back wrong, or that nobody sent
  std::uint64_t unanswered = 0;        ///< requests whose reply did not come in time
  std::uint64_t lost_connections = 0;  ///< closed or broken by the server

  bool is_clean() const { return byte_errors == 0 && unanswered == 0 && lost_connections == 0; }
};

inline std::string to_json(const LoadResult& r) {
  char line[512];
  std::snprintf(line, sizeof(line),
                "{\"connections\": %lu, \"size\": %lu, \"seconds\": %.3f, \"requests\": %llu, "
                "\"requests_per_second\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, "
                "\"p999_us\": %.1f, \"max_us\": %.1f, \"byte_errors\": %llu, "
                "\"unanswered\": %llu, \"lost_connections\": %llu}",
                static_cast<unsigned long>(r.connections), static_cast<unsigned long>(r.size),
                r.seconds, static_cast<unsigned long long>(r.requests), r.requests_per_second,
                r.p50_us, r.p99_us, r.p999_us, r.max_us,
                static_cast<unsigned long long>(r.byte_errors),
                static_cast<unsigned long long>(r.unanswered),
                static_cast<unsigned long long>(r.lost_connections));
  return line;
}

/// Reads back exactly what to_json() writes: our own format, not JSON in general.
inline std::optional<LoadResult> parse_load_result(const std::string& line) {
  LoadResult r;
  unsigned long connections = 0;
  unsigned long size = 0;
  unsigned long long requests = 0;
  unsigned long long byte_errors = 0;
  unsigned long long unanswered = 0;
  unsigned long long lost_connections = 0;
  const int fields =
      std::sscanf(line.c_str(),
                  "{\"connections\": %lu, \"size\": %lu, \"seconds\": %lf, \"requests\": %llu, "
                  "\"requests_per_second\": %lf, \"p50_us\": %lf, \"p99_us\": %lf, "
                  "\"p999_us\": %lf, \"max_us\": %lf, \"byte_errors\": %llu, "
                  "\"unanswered\": %llu, \"lost_connections\": %llu}",
                  &connections, &size, &r.seconds, &requests, &r.requests_per_second, &r.p50_us,
                  &r.p99_us, &r.p999_us, &r.max_us, &byte_errors, &unanswered, &lost_connections);
  if (fields != 12) return std::nullopt;
  r.connections = static_cast<std::uint32_t>(connections);
  r.size = static_cast<std::uint32_t>(size);
  r.requests = requests;
  r.byte_errors = byte_errors;
  r.unanswered = unanswered;
  r.lost_connections = lost_connections;
  return r;
}

}  // namespace echo_bench
