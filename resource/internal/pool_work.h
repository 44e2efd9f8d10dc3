// What the parts of a pool share.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <asyncio/core/time.h>
#include <asyncio/resource/detail/pool_core.h>

namespace asyncio::detail {

/// A connection that a task of the pool's is busy with: counted as long as this lives, also if the
/// task never begins.
class PoolCore::InWork {
 public:
  InWork(std::shared_ptr<PoolCore> core, Work work) : core_(std::move(core)), work_(work) {
    ++core_->counter(work_);
  }
  InWork(InWork&&) noexcept = default;
  InWork& operator=(InWork&&) = delete;
  ~InWork() { finish(); }

  void finish() noexcept {
    if (core_ == nullptr) return;
    --core_->counter(work_);
    core_->note_change();
    core_.reset();
  }

 private:
  std::shared_ptr<PoolCore> core_;
  Work work_;
};

/// As a person writes it: "2.5 s".
std::string in_seconds(Duration duration);

}  // namespace asyncio::detail
