// Several failures as one exception: what groups and gather throw.
#pragma once

#include <any>
#include <cstddef>
#include <exception>
#include <map>
#include <string>
#include <vector>

#include <asyncio/core/errors.h>

namespace asyncio {

/// One or more failures that happened side by side, in the order they happened.
class ASYNCIO_API ExceptionGroup : public Error {
 public:
  /// `message` is followed by one line for each exception; of what becomes too long, by the first
  /// lines and the last.
  ExceptionGroup(const std::string& message, std::vector<std::exception_ptr> exceptions);
  ~ExceptionGroup() override;

  /// In the order they happened; never empty.
  const std::vector<std::exception_ptr>& exceptions() const noexcept { return exceptions_; }

 private:
  std::vector<std::exception_ptr> exceptions_;
};

/// What gather() throws: which inputs failed, which were cancelled, and the results of the rest.
///
/// Indices are positions in the call.  A task given twice has its entry in each place but counts
/// once.
class ASYNCIO_API GatherException : public ExceptionGroup {
 public:
  /// What became of one input.  Exactly one of `exception` and `result` is set.
  struct Input {
    std::string task_name;
    std::exception_ptr exception;
    bool cancelled = false;       ///< `exception` is a TaskCancelledException
    std::any result;              ///< as results() gives it
    std::size_t first_place = 0;  ///< index of the first input naming the same task
  };

  /// `order` holds the indices of the failed inputs in the order they failed.  `call` is the name
  /// of what throws it.
  GatherException(std::vector<Input> inputs, const std::vector<std::size_t>& order,
                  const char* call = "gather");
  ~GatherException() override;

  /// Failures and cancellations by input index.
  const std::map<std::size_t, std::exception_ptr>& exceptions() const noexcept {
    return exceptions_;
  }
  /// Results by input index: a copy of the value, std::monostate for void, and for a type that
  /// cannot be copied a std::shared_ptr to the value moved out of the task.
  const std::map<std::size_t, std::any>& results() const noexcept { return results_; }
  /// The name of every input, by position.
  const std::vector<std::string>& task_names() const noexcept { return names_; }

  /// How many tasks failed, ended cancelled, and succeeded.  Each task is in one of the counts.
  std::size_t failed_count() const noexcept { return failed_; }
  std::size_t cancelled_count() const noexcept { return cancelled_; }
  std::size_t success_count() const noexcept { return succeeded_; }

  /// Did input `index` fail?  As in failed_count(), one that ended cancelled did not.
  bool has_failed(std::size_t index) const noexcept {
    return exceptions_.contains(index) && !was_cancelled_[index];
  }
  /// Did input `index` end cancelled?
  bool was_cancelled(std::size_t index) const noexcept {
    return index < was_cancelled_.size() && was_cancelled_[index];
  }
  /// The exception of input `index`, which is a TaskCancelledException for one that ended
  /// cancelled; null for one that succeeded.
  std::exception_ptr exception(std::size_t index) const;
  /// The failure that came first in time.
  std::exception_ptr first_exception() const noexcept { return first_; }
  [[noreturn]] void rethrow_first() const { std::rethrow_exception(first_); }

  /// Several lines for a person: every input, what became of it, and why.
  std::string detailed_report() const;
  /// The same as one JSON object: {message, failed, cancelled, succeeded, tasks: [{index, name,
  /// state, error}]}.  Always valid UTF-8, whatever the messages hold.
  std::string to_json() const;

 private:
  std::map<std::size_t, std::exception_ptr> exceptions_;
  std::map<std::size_t, std::any> results_;
  std::vector<std::string> names_;
  std::vector<bool> was_cancelled_;
  std::size_t failed_ = 0;
  std::size_t cancelled_ = 0;
  std::size_t succeeded_ = 0;
  std::exception_ptr first_;
};

/// The type and message of any exception, even of one that is not a std::exception or whose what()
/// is null.
ASYNCIO_API std::string describe(const std::exception_ptr& exception);

}  // namespace asyncio
