// Telling a person what every task does: for wait_reason(), dump() and the deadlock report.
#pragma once

#include <string>
#include <vector>

#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/internal/rooms.h>

namespace asyncio::detail {

/// Every living task of a loop, oldest first.
std::vector<TaskRef> living_tasks(const Rooms& rooms);

/// What `task` waits for; see AnyTask::wait_reason().
std::string wait_text(const TaskControl& task);

/// See EventLoop::dump().
std::string dump_text(const Rooms& rooms);

}  // namespace asyncio::detail
