// run_process().
#include <array>
#include <csignal>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tests/io/tcp_pair.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

Command script(std::string_view text) {
  return {.program = "sh", .arguments = {"-c", std::string{text}}};
}

class RunProcessTest : public LoopTest {
 protected:
  ~RunProcessTest() override {
    siginfo_t info{};
    EXPECT_NE(0, ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT)) << "a zombie is left";
  }

  /// Starts the script as a task, and waits until it has written "ready" to its error output.
  /// Returns when the group has no member any more, as far as they hold that output.
  void cancel_when_ready(std::string_view text, const RunProcessOptions& how) {
    auto [reader, writer] = make_pipe();
    Command command = script(text);
    command.err = Redirect::to(writer.fd());
    auto running = create_task([&] { run_process(command, how); });
    EXPECT_EQ("ready", read_exactly(reader, 5));
    writer.close();
    running.cancel();
    EXPECT_THROW(await(running), TaskCancelledException);
    read_to_end(reader);
  }
};

TEST_F(RunProcessTest, ItCollectsWhatTheProgramWrites) {
  run([] {
    const ProcessResult result = run_process(script("echo out; echo err >&2"));
    EXPECT_TRUE(result.status.success());
    EXPECT_EQ("out\n", result.out);
    EXPECT_EQ("err\n", result.err);
    EXPECT_TRUE(result.complete);
  });
}

TEST_F(RunProcessTest, ItFeedsTheProgramItsInput) {
  run([] {
    const std::string all = pattern(1 << 20);
    EXPECT_TRUE(run_process({.program = "cat"}, {.input = all}).out == all);
    EXPECT_EQ("", run_process({.program = "cat"}).out) << "without input there is an end of it";
    EXPECT_EQ("", run_process({.program = "cat", .in = Redirect::pipe()}).out);
    EXPECT_THROW(run_process({.program = "cat", .in = Redirect::null()}, {.input = "x"}),
                 std::invalid_argument);
  });
}

TEST_F(RunProcessTest, AFailureIsAnErrorThatTellsWhatTheProgramSaid) {
  run([] {
    try {
      run_process(script("echo 'the disk is on fire' >&2; exit 3"));
      ADD_FAILURE() << "must throw";
    } catch (const ProcessError& error) {
      EXPECT_EQ(ExitStatus::exited(3), error.status());
      EXPECT_EQ("run_process: sh exited with 3, and said: the disk is on fire",
                std::string{error.what()});
      EXPECT_EQ("the disk is on fire\n", error.result().err);
    }
    EXPECT_EQ(3, run_process(script("exit 3"), {.check = false}).status.code());
    EXPECT_THROW(run_process(script("kill -9 $$")), ProcessError);
    EXPECT_THROW(run_process({.program = "/no/such/program"}), IoError);
  });
}

TEST_F(RunProcessTest, TooMuchOutputKillsTheProgram) {
  run([] {
    try {
      run_process({.program = "yes"}, {.most_output = 1'000'000});
      ADD_FAILURE() << "must throw";
    } catch (const LimitError& error) {
      EXPECT_EQ(1'000'000u, error.limit());
      EXPECT_TRUE(contains(error.what(), "yes wrote more than 1000000 bytes")) << error.what();
    }
  });
}

TEST_F(RunProcessTest, N65_WhoHoldsItsOutputAfterItsEndIsWaitedForOnlySoLong) {
  run([this] {
    std::array<int, 2> fds{-1, -1};
    ASSERT_EQ(0, ::pipe2(fds.data(), O_CLOEXEC));
    const Fd reader{fds[0]};
    const Fd writer{fds[1]};  // as long as it is open, the grandchild lives
    Command command = script("echo out; exec 3<&0; cat <&3 & exit 0");
    command.in = Redirect::to(reader.get());
    const ProcessResult result = run_process(command, {.pipe_grace = 3s});
    EXPECT_EQ("out\n", result.out);
    EXPECT_FALSE(result.complete);
    EXPECT_EQ(Duration{3s}, elapsed());
  });
}

TEST_F(RunProcessTest, N66_WhatIgnoresSigtermIsKilledAfterTheGrace) {
  run([this] {
    cancel_when_ready("trap '' TERM; printf ready >&2; exec tail -f /dev/null", {.grace = 7s});
    EXPECT_EQ(Duration{7s}, elapsed());
  });
}

TEST_F(RunProcessTest, N67_ACancelEndsTheWholeGroup) {
  run([this] { cancel_when_ready("tail -f /dev/null & printf ready >&2; wait", {}); });
}

TEST_F(RunProcessTest, N66_WhatEndsBySigtermMaySayGoodbyeFirst) {
  real_time();  // or the grace would be over at once
  run([this] {
    // More than a pipe holds, so somebody has to read it.
    cancel_when_ready(
        "trap 'head -c 200000 /dev/zero; exit' TERM; printf ready >&2;"
        "while :; do tail -f /dev/null & wait $!; done",
        {.grace = 60s});
  });
}

TEST_F(RunProcessTest, N71_AProgramThatIgnoresItsInputIsNoError) {
  run([] {
    const std::string much(1 << 20, 'x');
    EXPECT_TRUE(run_process({.program = "true"}, {.input = much}).status.success());
    EXPECT_EQ("x", run_process({.program = "head", .arguments = {"-c", "1"}}, {.input = much}).out);
  });
}

}  // namespace
}  // namespace asyncio::test
