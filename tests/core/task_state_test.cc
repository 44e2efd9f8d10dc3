// The five states and the arrows between them.
#include <array>

#include <gtest/gtest.h>

#include <asyncio/core/task_state.h>

namespace asyncio::test {
namespace {

constexpr std::array all_states = {TaskState::pending, TaskState::running, TaskState::completed,
                                   TaskState::failed, TaskState::cancelled};

// Everything about states is known at compile time.
static_assert(!is_terminal(TaskState::pending) && !is_terminal(TaskState::running));
static_assert(is_terminal(TaskState::completed) && is_terminal(TaskState::failed) &&
              is_terminal(TaskState::cancelled));
static_assert(can_transition(TaskState::pending, TaskState::running));
static_assert(to_string(TaskState::cancelled) == "cancelled");

TEST(TaskStateTest, OnlyTheDocumentedArrowsExist) {
  // Row: from, column: to, in the order of the enumerators.
  constexpr bool arrows[5][5] = {
      {false, true, false, false, true},  // pending
      {false, false, true, true, true},   // running
      {false, false, false, false, false}, {false, false, false, false, false},
      {false, false, false, false, false},
  };
  for (std::size_t from = 0; from < all_states.size(); ++from) {
    for (std::size_t to = 0; to < all_states.size(); ++to) {
      EXPECT_EQ(arrows[from][to], can_transition(all_states[from], all_states[to]))
          << to_string(all_states[from]) << " to " << to_string(all_states[to]);
    }
  }
}

TEST(TaskStateTest, EachTerminalStateAnswersToExactlyOneQuestion) {
  for (const TaskState state : all_states) {
    const int answers = is_success(state) + is_failure(state) + is_cancelled(state);
    EXPECT_EQ(is_terminal(state) ? 1 : 0, answers) << to_string(state);
  }
  EXPECT_TRUE(is_success(TaskState::completed));
  EXPECT_TRUE(is_failure(TaskState::failed));
  EXPECT_TRUE(is_cancelled(TaskState::cancelled));
}

TEST(TaskStateTest, NamesAreTheEnumerators) {
  EXPECT_EQ("pending", to_string(TaskState::pending));
  EXPECT_EQ("running", to_string(TaskState::running));
  EXPECT_EQ("completed", to_string(TaskState::completed));
  EXPECT_EQ("failed", to_string(TaskState::failed));
  EXPECT_EQ("cancelled", to_string(TaskState::cancelled));
  EXPECT_EQ("?", to_string(static_cast<TaskState>(99)));
}

}  // namespace
}  // namespace asyncio::test
