import os
import pathlib
import signal
import sys
import tempfile
import threading
import time
import unittest

from report import processors
from report.programs import Program
from report.run import Failed, OutOfTime, environment, output


class RunTest(unittest.TestCase):
    def output(self, source, patience=120, **more):
        return output([sys.executable, "-c", source], dict(os.environ), patience, **more)

    def test_what_a_program_says_is_returned(self):
        self.assertEqual(self.output("print(7)"), "7\n")

    def test_a_program_that_fails_is_quoted(self):
        with self.assertRaisesRegex(Failed, "exit status 1: no descriptors left"):
            self.output("import sys; sys.exit('first\\nno descriptors left')")

    def test_a_program_that_is_not_there_is_named(self):
        with self.assertRaisesRegex(Failed, "/nowhere"):
            output(["/nowhere"], {}, 1)

    def test_a_program_that_takes_too_long_is_ended_with_all_it_has_started(self):
        began = time.monotonic()
        with self.assertRaisesRegex(Failed, "stopped after 1 s"):
            # The child holds the pipe that the program's output is read from.
            self.output("import os, time; os.fork(); time.sleep(60)", patience=1)
        self.assertLess(time.monotonic() - began, 30)

    def test_a_program_for_which_no_time_is_left_has_not_failed(self):
        with self.assertRaises(OutOfTime):
            self.output("import time; time.sleep(60)", left=0.5)

    def test_nothing_outlives_an_interrupt(self):
        with tempfile.TemporaryDirectory() as folder:
            started = pathlib.Path(folder) / "started"
            source = f"""if True:
                import os, pathlib, time
                child = os.fork()
                if child:
                    temporary = pathlib.Path({str(started)!r} + ".tmp")
                    temporary.write_text(f"{{os.getpid()}} {{child}}")
                    temporary.rename({str(started)!r})
                time.sleep(60)"""
            # It is ignored where the tests run in the background.
            before = signal.signal(signal.SIGINT, signal.default_int_handler)
            self.addCleanup(signal.signal, signal.SIGINT, before)
            interrupter = threading.Thread(target=interrupt_when, args=(started.exists,))
            interrupter.start()
            with self.assertRaises(KeyboardInterrupt):
                self.output(source)
            interrupter.join()
            for process in map(int, started.read_text(encoding="utf-8").split()):
                self.assertTrue(eventually(lambda: not alive(process)), process)

    def test_what_a_program_leaves_behind_is_ended_with_it(self):
        child = self.output(
            "import os, time\n"
            "child = os.fork()\n"
            "if child: print(child)\n"
            "else: [os.close(f) for f in (1, 2)]; time.sleep(60)"
        )
        self.assertTrue(eventually(lambda: not alive(int(child))))

    def test_a_program_is_told_where_to_put_its_other_side(self):
        usable = processors.allowed()
        told = environment(Program(("p",), (("LIMIT", "1"),)), max(usable))
        self.assertEqual(told.pop("LIMIT"), "1")
        self.assertEqual(told, processors.environment(usable, max(usable)))


def interrupt_when(ready):
    if eventually(ready):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


def eventually(holds):
    end = time.monotonic() + 60
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def alive(process):
    """Does it run?  A zombie does not."""
    try:
        stat = pathlib.Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] not in "ZX"
