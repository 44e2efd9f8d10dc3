import os
import sys
import time
import unittest

from report.run import Failed, output


class RunTest(unittest.TestCase):
    def output(self, source, patience=20):
        return output([sys.executable, "-c", source], dict(os.environ), patience)

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
