// Process.
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tests/io/eventually.h>
#include <asyncio/tests/io/open_descriptors.h>
#include <asyncio/tests/io/system_calls.h>
#include <asyncio/tests/io/tcp_pair.h>
#include <asyncio/tests/io/temporary_folder.h>
#include <asyncio/tests/support/few_descriptors.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

/// A command of the shell.
Command shell(std::string_view text) {
  return {.program = "sh", .arguments = {"-c", std::string{text}}};
}

/// One that does nothing until it is killed.
Command sleeper() { return {.program = "tail", .arguments = {"-f", "/dev/null"}}; }

/// Is there a child of ours with this number, dead or alive?
bool is_child(pid_t pid) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/// Has this process a child at all?
bool has_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/// Sets what happens on a signal, as long as it lives.
class Disposition {
 public:
  Disposition(int signo, void (*handler)(int), int flags = 0) : signo_(signo) {
    struct sigaction now {};
    now.sa_handler = handler;
    now.sa_flags = flags;
    ::sigaction(signo, &now, &before_);
  }
  ~Disposition() { ::sigaction(signo_, &before_, nullptr); }
  Disposition(const Disposition&) = delete;
  Disposition& operator=(const Disposition&) = delete;

 private:
  int signo_;
  struct sigaction before_ {};
};

class ProcessTest : public LoopTest {
 protected:
  ~ProcessTest() override { EXPECT_FALSE(has_children()) << "a zombie is left"; }

  /// What the command writes to its output.
  static std::string output_of(Command command) {
    command.out = Redirect::pipe();
    Process process = Process::spawn(command);
    std::string all = read_to_end(process.out());
    EXPECT_TRUE(process.wait().success());
    return all;
  }

  std::array<std::byte, 64> buffer;
};

// ---- From start to end --------------------------------------------------------------------------

TEST_F(ProcessTest, ItTellsHowItHasEnded) {
  run([] {
    EXPECT_TRUE(Process::spawn({.program = "true"}).wait().success());
    const ExitStatus failed = Process::spawn(shell("exit 3")).wait();
    EXPECT_EQ(3, failed.code());
    EXPECT_EQ(std::nullopt, failed.signal());
    EXPECT_EQ("exited with 3", failed.to_string());
    Process victim = Process::spawn(sleeper());
    EXPECT_EQ(std::nullopt, victim.poll());
    victim.signal(SIGTERM);
    const ExitStatus killed = victim.wait();
    EXPECT_EQ(SIGTERM, killed.signal());
    EXPECT_EQ(std::nullopt, killed.code());
    EXPECT_FALSE(killed.success());
    EXPECT_EQ("ended by signal 15 (Terminated)", killed.to_string());
    EXPECT_EQ(killed, victim.poll());
    EXPECT_EQ(killed, victim.wait());
  });
}

TEST_F(ProcessTest, ItsPipesAreStreams) {
  run([] {
    Process cat =
        Process::spawn({.program = "cat", .in = Redirect::pipe(), .out = Redirect::pipe()});
    cat.in().write_all("there and back");
    EXPECT_EQ("there and back", read_exactly(cat.out(), 14));
    cat.in().close();
    EXPECT_EQ("", read_to_end(cat.out()));
    EXPECT_TRUE(cat.wait().success());
    EXPECT_TRUE(contains(message_of<InvalidStateError>([&] { cat.err(); }),
                         "give the command .err = Redirect::pipe()"));
  });
}

TEST_F(ProcessTest, TwoWhoWaitAreBothTold) {
  run([] {
    Process process = Process::spawn({.program = "cat", .in = Redirect::pipe()});
    auto one = create_task([&] { return process.wait(); });
    auto two = create_task([&] { return process.wait(); });
    settle();
    EXPECT_FALSE(one.is_done());
    process.in().close();
    EXPECT_TRUE(await(std::move(two)).success());
    EXPECT_TRUE(await(std::move(one)).success());
  });
}

TEST_F(ProcessTest, WhenTheFirstWhoWaitsIsCancelledTheOthersGoOn) {
  run([] {
    Process process = Process::spawn({.program = "cat", .in = Redirect::pipe()});
    auto one = create_task([&] { return process.wait(); });
    settle();
    auto two = create_task([&] { return process.wait(); });
    settle();
    one.cancel();
    EXPECT_THROW(await(one), TaskCancelledException);
    EXPECT_EQ(std::nullopt, process.poll()) << "the child lives on";
    process.in().close();
    EXPECT_TRUE(await(std::move(two)).success());
  });
}

TEST_F(ProcessTest, WaitIsACheckpointThatSuspendsUnlessItHasEnded) {
  run([] {
    Process process = Process::spawn({.program = "true"});
    {
      const ExpectSuspends suspends;
      process.wait();
    }
    const ExpectNoSuspend no_more;
    process.wait();
  });
}

// ---- What it finds ------------------------------------------------------------------------------

TEST_F(ProcessTest, ItFindsNoOtherDescriptorThanItsThree) {
  run([] {
    const Fd open_to_all{::open("/dev/null", O_RDONLY)};  // not CLOEXEC
    const std::string seen = output_of({.program = "ls", .arguments = {"/proc/self/fd"}});
    EXPECT_EQ("0\n1\n2\n3\n", seen) << "3 is the folder that ls reads";
  });
}

TEST_F(ProcessTest, ItFindsNoSignalBlockedAndSigpipeAsByDefault) {
  run([] {
    const Disposition ignored{SIGPIPE, SIG_IGN};
    sigset_t blocked, before;
    ::sigemptyset(&blocked);
    ::sigaddset(&blocked, SIGUSR1);
    ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
    const std::string seen =
        output_of({.program = "grep", .arguments = {"-E", "SigBlk|SigIgn", "/proc/self/status"}});
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    EXPECT_TRUE(contains(seen, "SigBlk:\t0000000000000000")) << seen;
    const std::size_t at = seen.find("SigIgn:\t") + 8;
    const auto ignores = std::stoull(seen.substr(at, 16), nullptr, 16);
    EXPECT_EQ(0u, ignores & (1u << (SIGPIPE - 1))) << seen;
  });
}

TEST_F(ProcessTest, ItFindsTheDirectoryAndEnvironmentItIsGiven) {
  run([] {
    EXPECT_EQ("/usr\n", output_of({.program = "pwd", .directory = "/usr"}));
    EXPECT_EQ("A=1\nB=two words\n",
              output_of({.program = "env", .environment = {{"A=1", "B=two words"}}}));
    EXPECT_EQ("", output_of({.program = "cat"})) << "its input is empty";
  });
}

TEST_F(ProcessTest, ItsDescriptorsLeadWhereTheCommandSays) {
  run([] {
    const TemporaryFolder folder;
    const std::string path = folder.file("out");
    {
      const Fd file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR)};
      Command command = shell("echo out; echo err >&2");
      command.out = Redirect::to(file.get());
      command.err = Redirect::to_output();
      EXPECT_TRUE(Process::spawn(command).wait().success());
      EXPECT_LE(0, ::fcntl(file.get(), F_GETFD)) << "it stays ours";
    }
    EXPECT_EQ("out\nerr\n", read_file(path, 100));
    Command nowhere = shell("echo out");
    nowhere.out = Redirect::null();
    EXPECT_TRUE(Process::spawn(nowhere).wait().success());
    EXPECT_THROW(Process::spawn({.program = "true", .out = Redirect::to_output()}),
                 std::invalid_argument);
    EXPECT_THROW(Process::spawn({.program = "true", .out = Redirect::to(1 << 20)}), IoError);
  });
}

TEST_F(ProcessTest, ItHasAGroupOfItsOwnUnlessTheCommandSaysOtherwise) {
  run([] {
    Process own = Process::spawn(sleeper());
    EXPECT_EQ(own.pid(), ::getpgid(own.pid()));
    own.signal(SIGKILL);
    EXPECT_EQ(SIGKILL, own.wait().signal());
    Command command = sleeper();
    command.own_group = false;
    Process ours = Process::spawn(command);
    EXPECT_EQ(::getpgrp(), ::getpgid(ours.pid()));
    ours.signal(SIGKILL);
    EXPECT_EQ(SIGKILL, ours.wait().signal());
  });
}

// ---- What cannot be started ---------------------------------------------------------------------

TEST_F(ProcessTest, N72_WhatIsWrongIsNamedAndNothingLeaks) {
  run([] {
    EXPECT_TRUE(Process::spawn({.program = "true"}).wait().success());
    const std::ptrdiff_t before = open_descriptors();
    std::string program, directory;
    for (int i = 0; i < 500; ++i) {
      program = message_of<IoError>([] {
        Process::spawn({.program = "/no/such/program",
                        .in = Redirect::pipe(),
                        .out = Redirect::pipe(),
                        .err = Redirect::pipe()});
      });
      directory = message_of<IoError>(
          [] { Process::spawn({.program = "true", .directory = "/no/such/folder"}); });
    }
    EXPECT_TRUE(contains(program, "the program /no/such/program: No such file")) << program;
    EXPECT_TRUE(contains(directory, "the directory /no/such/folder: No such file")) << directory;
    EXPECT_EQ(before, open_descriptors());
    EXPECT_THROW(Process::spawn({.program = "/etc/passwd"}), IoError);
    EXPECT_THROW(Process::spawn({.program = ""}), std::invalid_argument);
    EXPECT_THROW(Process::spawn(shell(std::string_view{"a\0b", 3})), std::invalid_argument);
    EXPECT_THROW(Process::spawn({.program = "true", .environment = {{"nothing"}}}),
                 std::invalid_argument);
  });
}

TEST_F(ProcessTest, N72_WithoutDescriptorsNothingIsStarted) {
  run([] {
    const Command command{.program = "cat", .in = Redirect::pipe(), .out = Redirect::pipe()};
    settle();
    const std::ptrdiff_t before = open_descriptors();
    for (int left = 0; left < 5; ++left) {
      const FewDescriptors few{left};
      EXPECT_THROW(Process::spawn(command), IoError) << left;
    }
    EXPECT_EQ(before, open_descriptors());
  });
}

TEST_F(ProcessTest, N69_WithSigchldIgnoredItSaysWhatToDo) {
  run([] {
    {
      const Disposition ignored{SIGCHLD, SIG_IGN};
      const std::string said =
          message_of<InvalidStateError>([] { Process::spawn({.program = "true"}); });
      EXPECT_TRUE(contains(said, "SIGCHLD is ignored")) << said;
      EXPECT_TRUE(contains(said, "signal(SIGCHLD, SIG_DFL)")) << said;
    }
    const Disposition no_wait{SIGCHLD, SIG_DFL, SA_NOCLDWAIT};
    EXPECT_THROW(Process::spawn({.program = "true"}), InvalidStateError);
  });
}

TEST_F(ProcessTest, AProgramThatIsStillBeingWrittenIsWaitedFor) {
  run([] {
    const TemporaryFolder folder;
    const std::string path = folder.file("program");
    std::ofstream{path} << std::ifstream{"/bin/true", std::ios::binary}.rdbuf();
    ASSERT_EQ(0, ::chmod(path.c_str(), S_IRWXU));
    Fd writer{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
    EXPECT_THROW(Process::spawn({.program = path}), IoError);
    auto process = create_task([&] { return Process::spawn({.program = path}); });
    yield();
    yield();
    EXPECT_FALSE(process.is_done());
    writer = Fd{};
    EXPECT_TRUE(await(std::move(process)).wait().success());
  });
}

// ---- Its end ------------------------------------------------------------------------------------

TEST_F(ProcessTest, N65_WaitReturnsAtItsEndAlthoughAGrandchildHoldsThePipe) {
  run([] {
    Command command = shell("exec 3<&0; cat <&3 & exit 0");
    command.in = Redirect::pipe();
    command.out = Redirect::pipe();
    Process process = Process::spawn(command);
    EXPECT_TRUE(process.wait().success());
    process.in().write_all("still there");
    EXPECT_EQ("still there", read_exactly(process.out(), 11));
    process.in().close();
    EXPECT_EQ("", read_to_end(process.out()));
  });
}

TEST_F(ProcessTest, N68_AStatusThatComesLaterThanItsNoticeIsWaitedFor) {
  run([this] {
    Process process = Process::spawn({.program = "cat", .in = Redirect::pipe()});
    auto waiting = create_task([&] { return process.wait(); });
    settle();
    const std::size_t before = times(Call::waitid);
    fail_next(Call::waitid, 0, 3);
    process.in().close();
    EXPECT_TRUE(await(std::move(waiting)).success());
    EXPECT_EQ(4u, times(Call::waitid) - before) << "it does not spin";
    EXPECT_LE(Duration{3ms}, elapsed());
  });
}

TEST_F(ProcessTest, N70_AfterItsEndNobodyIsHitByItsSignals) {
  run([] {
    Command command = shell("exec 3<&0; cat <&3 & exit 0");
    command.in = Redirect::pipe();
    command.out = Redirect::pipe();
    Process process = Process::spawn(command);
    process.wait();
    process.signal(SIGKILL);  // its group has one member left
    process.in().write_all("alive");
    EXPECT_EQ("alive", read_exactly(process.out(), 5));
    process.in().close();
    EXPECT_EQ("", read_to_end(process.out()));
    EXPECT_THROW(process.signal(0), std::invalid_argument);
    EXPECT_THROW(process.signal(1000), std::invalid_argument);
  });
}

TEST_F(ProcessTest, N70_AZombieTakesASignal) {
  run([] {
    Process process = Process::spawn({.program = "true", .out = Redirect::pipe()});
    EXPECT_EQ("", read_to_end(process.out()));
    expect_eventually([&] {
      siginfo_t info{};
      ::waitid(P_PID, static_cast<id_t>(process.pid()), &info, WEXITED | WNOHANG | WNOWAIT);
      return info.si_pid != 0;
    });
    process.signal(SIGKILL);
    EXPECT_TRUE(process.wait().success());
  });
}

TEST_F(ProcessTest, AStatusThatSomebodyElseTookIsAskedOfTheKernelOrMissed) {
  run([] {
    Process process = Process::spawn(shell("exit 3"));
    int status = 0;
    ASSERT_EQ(process.pid(), ::waitpid(process.pid(), &status, 0));
    utsname kernel{};
    ::uname(&kernel);
    int major = 0, minor = 0;
    ASSERT_EQ(2, std::sscanf(kernel.release, "%d.%d", &major, &minor));
    if (std::pair{major, minor} >= std::pair{6, 15}) {
      EXPECT_EQ(ExitStatus::exited(3), process.wait());
    } else {
      const std::string said = message_of<InvalidStateError>([&] { process.wait(); });
      EXPECT_TRUE(contains(said, "somebody else has taken its status")) << said;
    }
  });
}

TEST_F(ProcessTest, ItsDestructorKillsItsGroupAndTheLoopReapsIt) {
  run([] {
    auto [reader, writer] = make_pipe();
    Command command = shell("tail -f /dev/null & echo; wait");
    command.out = Redirect::to(writer.fd());
    std::optional<Process> process{Process::spawn(command)};
    const pid_t pid = process->pid();
    writer.close();
    EXPECT_EQ("\n", read_exactly(reader, 1));
    process.reset();
    EXPECT_EQ("", read_to_end(reader)) << "the grandchild is gone, too";
    expect_eventually([&] { return !is_child(pid); });
  });
}

TEST_F(ProcessTest, AWaitIsToldOfTheDestructor) {
  run([] {
    std::optional<Process> process{Process::spawn(sleeper())};
    auto one = create_task([&] { process->wait(); });
    auto two = create_task([&] { process->wait(); });
    settle();
    process.reset();
    EXPECT_THROW(await(one), ClosedError);
    EXPECT_THROW(await(two), ClosedError);
  });
}

TEST_F(ProcessTest, OneThatIsLeftAtTheEndOfTheLoopIsReaped) {
  run([] {
    Process::spawn(sleeper());
    Process::spawn(sleeper());
    settle();
  });
  end_loop();
  EXPECT_FALSE(has_children());
}

TEST_F(ProcessTest, OneMayBeDestroyedWhenItsLoopIsGone) {
  std::optional<Process> process;
  run([&] { process.emplace(Process::spawn(sleeper())); });
  end_loop();
  process.reset();
  EXPECT_FALSE(has_children());
}

TEST_F(ProcessTest, DetachedItLivesOnAndIsReapedWhenItEnds) {
  run([] {
    Process process =
        Process::spawn({.program = "cat", .in = Redirect::pipe(), .out = Redirect::pipe()});
    PipeWriter to = std::move(process.in());
    PipeReader from = std::move(process.out());
    const pid_t pid = process.pid();
    std::move(process).detach();
    to.write_all("on");
    EXPECT_EQ("on", read_exactly(from, 2));
    to.close();
    EXPECT_EQ("", read_to_end(from));
    expect_eventually([&] { return !is_child(pid); });
  });
}

TEST_F(ProcessTest, ADetachedOneThatOutlivesItsLoopIsReapedByTheNextStart) {
  pid_t pid = -1;
  Fd held;
  run([&] {
    Process process = Process::spawn({.program = "cat", .in = Redirect::pipe()});
    held = Fd{std::move(process.in()).release()};
    pid = process.pid();
    std::move(process).detach();
    settle();
  });
  end_loop();
  EXPECT_TRUE(is_child(pid));
  held = Fd{};
  siginfo_t info{};
  ASSERT_EQ(0, ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT));
  run([&] { EXPECT_TRUE(Process::spawn({.program = "true"}).wait().success()); });
  EXPECT_FALSE(is_child(pid));
}

}  // namespace
}  // namespace asyncio::test
