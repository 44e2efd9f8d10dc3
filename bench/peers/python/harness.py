"""Times benchmarks and prints what Google Benchmark would."""
import argparse
import json
import re
import statistics
import time


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument('--loop', choices=['python_asyncio', 'uvloop'], default='python_asyncio')
    parser.add_argument('--serve', action='store_true', help='echo on the listening socket 3')
    parser.add_argument('--benchmark_filter', default='.')
    parser.add_argument('--benchmark_min_time', type=float, default=0.5)
    parser.add_argument('--benchmark_repetitions', type=int, default=1)
    parser.add_argument('--benchmark_list_tests', type=bool, default=False)
    parser.add_argument('--extent', choices=['smoke', 'usual', 'full'], default='usual')
    return parser.parse_known_args()[0]  # what Google Benchmark would take as well is no error


class Harness:
    def __init__(self, options):
        self.options = options
        self.smoke = options.extent == 'smoke'
        self.rows = []

    def sizes(self, usual, more=()):
        """The first in a smoke test; more are for a full run."""
        if self.smoke:
            return usual[:1]
        return (*usual, *more) if self.options.extent == 'full' else usual

    def wanted(self, name):
        """Is it to be measured?  Where they are listed, prints the name instead."""
        matches = re.search(self.options.benchmark_filter, name)
        if matches and self.options.benchmark_list_tests:
            print(name)
        return matches and not self.options.benchmark_list_tests

    def add(self, name, repetition, operations, real_s, cpu_s, unit='ns', **counters):
        scale = {'ns': 1e9, 'us': 1e6, 'ms': 1e3}[unit] / operations
        self.rows.append({
            'name': name,
            'run_name': name,
            'run_type': 'iteration',
            'repetitions': self.options.benchmark_repetitions,
            'repetition_index': repetition,
            'threads': 1,
            'iterations': operations,
            'real_time': real_s * scale,
            'cpu_time': cpu_s * scale,
            'time_unit': unit,
            **counters,
        })

    def fail(self, name, message):
        """Has the report say what went wrong, instead of a time."""
        self.rows.append({
            'name': name,
            'run_name': name,
            'run_type': 'iteration',
            'error_occurred': True,
            'error_message': message,
        })

    def start_clock(self):
        """For work that has something to set up first."""
        self.took = None
        self.began, self.cpu_began = time.perf_counter(), time.process_time()

    def stop_clock(self):
        """For work that has something left to end."""
        if self.took is None:
            self.took = time.perf_counter() - self.began
            self.used = time.process_time() - self.cpu_began

    async def measure(self, name, work, batch=1):
        """Times `await work(n)`, which does n batches of operations, for each operation.

        A first batch warms up: a large one takes longer than the minimal time, so that a cold one
        would be the only one.
        """
        if not self.wanted(name):
            return
        await work(1)
        enough = self.options.benchmark_min_time
        for repetition in range(self.options.benchmark_repetitions):
            batches = 1
            while True:
                self.start_clock()
                await work(batches)
                self.stop_clock()
                if self.took >= enough:
                    self.add(name, repetition, batches * batch, self.took, self.used)
                    break
                growth = 10 if self.took < enough / 10 else 1.4 * enough / self.took
                batches = int(batches * growth) + 1

    async def measure_beyond(self, name, asked_s, rounds, unit, work):
        """Times rounds that are asked to take a certain time each: what is beyond it.

        A first round warms up.  Who wakes before its time has not done what was asked for: that
        fails.
        """
        if not self.wanted(name):
            return
        await work()
        for repetition in range(self.options.benchmark_repetitions):
            late = []
            cpu = time.process_time()
            for _ in range(rounds):
                began = time.perf_counter()
                await work()
                late.append(time.perf_counter() - began - asked_s)
                if late[-1] < 0:
                    self.fail(name, 'woke before its time')
                    return
            used = time.process_time() - cpu
            late.sort()
            self.add(name, repetition, rounds, sum(late), used, unit,
                     p50_us=statistics.median(late) * 1e6,
                     p99_us=late[len(late) * 99 // 100] * 1e6)

    def print(self, context):
        if not self.options.benchmark_list_tests:
            print(json.dumps({'context': context, 'benchmarks': self.rows}, indent=2))
