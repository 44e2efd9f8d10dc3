#include <asyncio/core/lowlevel/ownership.h>

#include <asyncio/core/detail/task_control.h>

namespace asyncio::lowlevel {

void Ownership::give_to(CurrentTask task) noexcept {
  owner_ = &task.control();
  owner_->owned.push_back(*this);
}

void Ownership::give_to(const Waiter& waiter) noexcept { give_to(CurrentTask{*waiter.task}); }

bool Ownership::is_mine() const noexcept {
  return owner_ != nullptr && owner_ == detail::current_task_control();
}

std::string Ownership::owner_name() const { return owner_->display_name(); }

void Ownership::abandon_all(List<Ownership>& of_task) noexcept {
  while (Ownership* owned = of_task.pop_front()) {
    owned->owner_ = nullptr;
    owned->abandoned_(*owned);
  }
}

}  // namespace asyncio::lowlevel
