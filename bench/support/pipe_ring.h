// The classic benchmark of event loops: many pipes, few of them active.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "descriptors.h"
#include "rows.h"

namespace bench {

struct PipesShape {
  std::int64_t fds = 0;     ///< pipes whose readers wait
  std::int64_t active = 0;  ///< bytes under way at any time
  std::int64_t writes = 0;  ///< bytes read in a round
  bool timeouts = false;    ///< every wait has a timeout, which never comes
};

inline Params to_params(const PipesShape& shape) {
  Params params = {{"fds", shape.fds}, {"active", shape.active}, {"writes", shape.writes}};
  if (shape.timeouts) params.emplace_back("timeouts", 1);
  return params;
}

/// In a round a byte is put into each of some pipes, evenly spread.  Whoever reads one passes it on
/// to the next pipe, until all the writes are spent.
class PipeRing {
 public:
  explicit PipeRing(const PipesShape& shape)
      : shape_(shape), pipes_(static_cast<std::size_t>(shape.fds)) {}

  std::size_t size() const { return pipes_.size(); }
  int reader(std::size_t index) const { return pipes_[index].out.get(); }

  void begin_round() {
    unwritten_ = shape_.writes - shape_.active;
    unread_ = shape_.writes;
    const std::size_t stride = pipes_.size() / static_cast<std::size_t>(shape_.active);
    for (std::int64_t i = 0; i < shape_.active; ++i) {
      write_byte(pipes_[static_cast<std::size_t>(i) * stride].in.get());
    }
  }

  /// For the reader of pipe `index`, when it is readable.  True: the round is over.
  bool pass_on(std::size_t index) {
    read_byte(reader(index));
    if (unwritten_ > 0) {
      --unwritten_;
      const std::size_t next = index + 1 == pipes_.size() ? 0 : index + 1;
      write_byte(pipes_[next].in.get());
    }
    return --unread_ == 0;
  }

 private:
  PipesShape shape_;
  std::vector<Pipe> pipes_;
  std::int64_t unwritten_ = 0;
  std::int64_t unread_ = 0;
};

/// The shapes to run with no more than this many descriptors in the process.
inline std::vector<PipesShape> pipes_shapes(const Rows& rows, int descriptor_limit, bool timeouts) {
  std::vector<PipesShape> shapes;
  for (const std::int64_t fds : rows.sizes({100, 400, 1'000, 9'000}, {200, 2'000, 4'000})) {
    for (const std::int64_t active : rows.sizes({100}, {1})) {
      if (2 * fds + 50 > descriptor_limit) continue;
      shapes.push_back({.fds = fds, .active = active, .writes = fds, .timeouts = timeouts});
    }
  }
  return shapes;
}

}  // namespace bench
