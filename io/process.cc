#include <asyncio/io/process.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <asyncio/core/errors.h>
#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/io/fd.h>
#include <asyncio/io/internal/child.h>
#include <asyncio/io/internal/spawn.h>
#include <asyncio/io/internal/system_error.h>

namespace asyncio {
namespace {

using detail::Child;
using detail::PipeEnd;

constexpr const char* spawn_call = "Process::spawn";

/// `fd`, or a duplicate of it if its number is one that the child's own descriptors will have.
Fd above_standard(Fd fd) {
  if (fd.get() > 2) return fd;
  Fd higher{::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3)};
  if (higher.get() < 0) detail::throw_io_error(spawn_call, fd.get());
  return higher;
}

/// One standard descriptor of a child, before that starts.
struct Wire {
  Fd childs;  ///< -1: as ours
  Fd ours;    ///< of a pipe
};

Wire lay(Redirect redirect, bool child_reads) {
  switch (redirect.kind()) {
    case Redirect::Kind::usual:
    case Redirect::Kind::inherit:
    case Redirect::Kind::output:
      return {Fd{}, Fd{}};
    case Redirect::Kind::null: {
      Fd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
      if (null.get() < 0) detail::throw_io_error("Process::spawn, /dev/null", -1);
      return {above_standard(std::move(null)), Fd{}};
    }
    case Redirect::Kind::descriptor: {
      Fd copy{::fcntl(redirect.fd(), F_DUPFD_CLOEXEC, 3)};
      if (copy.get() < 0) detail::throw_io_error("Process::spawn, Redirect::to", redirect.fd());
      return {std::move(copy), Fd{}};
    }
    case Redirect::Kind::pipe:
      break;
  }
  std::array<int, 2> fds{-1, -1};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) detail::throw_io_error(spawn_call, -1);
  Fd out{fds[0]};
  Fd in{fds[1]};
  Wire wire{above_standard(std::move(child_reads ? out : in)), std::move(child_reads ? in : out)};
  // Of each end the flags are its own: the child's blocks, as programs expect.
  if (::fcntl(wire.ours.get(), F_SETFL, O_NONBLOCK) != 0) {
    detail::throw_io_error(spawn_call, wire.ours.get());
  }
  return wire;
}

PipeEnd end_of(Wire& wire) {
  PipeEnd end{wire.ours.get(), spawn_call};
  std::move(wire.ours).release();
  return end;
}

template <class End>
End& piped(std::optional<End>& end, const char* call, const char* field) {
  if (end) return *end;
  throw InvalidStateError(std::string{call} + ": there is no pipe; give the command ." + field +
                          " = Redirect::pipe()");
}

}  // namespace

Process Process::spawn(const Command& command) {
  lowlevel::CurrentTask self = lowlevel::enter(spawn_call);
  detail::reap_left_behind();
  if (command.in.kind() == Redirect::Kind::output || command.out.kind() == Redirect::Kind::output) {
    throw std::invalid_argument(std::string{spawn_call} +
                                ": Redirect::to_output() is for .err, which goes where .out does");
  }
  Wire in = lay(command.in.or_else(Redirect::null()), true);
  Wire out = lay(command.out, false);
  Wire err = lay(command.err, false);
  // Before there is a child, for whatever can fail.
  std::optional<PipeWriter> our_in;
  std::optional<PipeReader> our_out, our_err;
  if (in.ours.get() >= 0) our_in.emplace(end_of(in));
  if (out.ours.get() >= 0) our_out.emplace(end_of(out));
  if (err.ours.get() >= 0) our_err.emplace(end_of(err));
  const pid_t pid = detail::spawn_program(
      command, {in.childs.get(), out.childs.get(), err.childs.get()}, spawn_call);
  Fd pidfd = detail::open_pidfd(pid, spawn_call);
  Process process{std::make_shared<Child>(pid, pidfd.get(), command.own_group, spawn_call)};
  std::move(pidfd).release();
  process.in_ = std::move(our_in);
  process.out_ = std::move(our_out);
  process.err_ = std::move(our_err);
  self.spend();
  return process;
}

Process::Process(Process&&) noexcept = default;

Process& Process::operator=(Process&& other) noexcept {
  std::swap(child_, other.child_);
  std::swap(in_, other.in_);
  std::swap(out_, other.out_);
  std::swap(err_, other.err_);
  return *this;
}

Process::~Process() {
  if (child_ != nullptr) child_->let_go(true);
}

ExitStatus Process::wait() { return child_->wait("Process::wait"); }
std::optional<ExitStatus> Process::poll() { return child_->poll("Process::poll"); }

PipeWriter& Process::in() { return piped(in_, "Process::in", "in"); }
PipeReader& Process::out() { return piped(out_, "Process::out", "out"); }
PipeReader& Process::err() { return piped(err_, "Process::err", "err"); }

void Process::signal(int signo) { child_->signal(signo, "Process::signal"); }
pid_t Process::pid() const noexcept { return child_->pid(); }

void Process::detach() && { std::exchange(child_, nullptr)->let_go(false); }

}  // namespace asyncio
