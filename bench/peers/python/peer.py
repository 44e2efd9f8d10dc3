"""Python's asyncio, and uvloop under it, in the subjects they have an answer for.

peer.py [--loop=python_asyncio|uvloop] [--extent=...] [--benchmark_...]   prints rows
peer.py [--loop=...] --serve                            echoes on the listening socket 3
"""
import asyncio
import platform
import socket

from harness import Harness, parse_arguments


def yield_with(tasks, harness):
    async def work(rounds):
        over = False

        async def give_way():
            while not over:
                await asyncio.sleep(0)

        others = [asyncio.create_task(give_way()) for _ in range(tasks - 1)]
        await asyncio.sleep(0)
        harness.start_clock()
        for _ in range(rounds):
            await asyncio.sleep(0)
        harness.stop_clock()
        over = True
        await asyncio.gather(*others)

    return work


async def spawn_and_await(operations):
    for _ in range(operations):
        await asyncio.create_task(return_one())


def hop(capacity):
    async def put(queue, operations):
        for item in range(operations):
            await queue.put(item)

    async def work(operations):
        queue = asyncio.Queue(capacity)
        putter = asyncio.create_task(put(queue, operations))
        for _ in range(operations):
            await queue.get()
        await putter

    return work


def sleep_many(tasks):
    async def work():
        await asyncio.gather(*(asyncio.sleep(0.1) for _ in range(tasks)))

    return work


async def return_one():
    return 1


def gather(tasks):
    async def work(rounds):
        for _ in range(rounds):
            await asyncio.gather(*(return_one() for _ in range(tasks)))

    return work


def group(tasks):
    async def nothing():
        pass

    async def work(rounds):
        for _ in range(rounds):
            async with asyncio.TaskGroup() as all_of_them:
                for _ in range(tasks):
                    all_of_them.create_task(nothing())

    return work


async def permits_to_spare(operations):
    semaphore = asyncio.Semaphore(2)
    for _ in range(operations):
        async with semaphore:
            pass


LOCKS_EACH = 100


def contend(tasks):
    """Each task takes the one permit again and again, and gives way while it has it."""

    async def lock(semaphore):
        for _ in range(LOCKS_EACH):
            async with semaphore:
                await asyncio.sleep(0)

    async def work(rounds):
        semaphore = asyncio.Semaphore(1)
        for _ in range(rounds):
            await asyncio.gather(*(lock(semaphore) for _ in range(tasks)))

    return work


class Echo(asyncio.Protocol):
    """The faster of asyncio's two ways, as its manual and uvloop's say."""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def serve_echo():
    server = await asyncio.get_running_loop().create_server(Echo, sock=socket.socket(fileno=3))
    await server.serve_forever()


async def run_all(harness, loop):
    for tasks in harness.sizes((2, 10_000), (100, 1_000, 100_000)):
        await harness.measure(f'core.yield/{loop}/tasks:{tasks}', yield_with(tasks, harness), tasks)
    await harness.measure(f'core.spawn_await/{loop}/stacks:pooled', spawn_and_await)
    for capacity in (1, 128):  # no room at all means unlimited here
        await harness.measure(f'concurrency.queue_hop/{loop}/capacity:{capacity}', hop(capacity))
    for tasks in harness.sizes((10, 1_000)):
        await harness.measure(f'concurrency.gather/{loop}/tasks:{tasks}', gather(tasks), tasks)
    if hasattr(asyncio, 'TaskGroup'):  # Python 3.11
        for tasks in harness.sizes((1, 10, 1_000)):
            await harness.measure(f'concurrency.task_group/{loop}/tasks:{tasks}', group(tasks),
                                  tasks)
    await harness.measure(f'concurrency.semaphore/{loop}/tasks:1', permits_to_spare)
    for tasks in harness.sizes((2, 100)):
        await harness.measure(f'concurrency.semaphore/{loop}/tasks:{tasks}', contend(tasks),
                              tasks * LOCKS_EACH)
    # Not a million, of which each round takes a minute; of a hundred thousand not three rounds, and
    # none in a quick run.
    for tasks in harness.sizes((1_000,), (10_000, 100_000)):
        rounds = 1 if harness.smoke or tasks == 100_000 else 3
        await harness.measure_beyond(f'core.sleep_many/{loop}/tasks:{tasks}', 0.1, rounds, 'ms',
                                     sleep_many(tasks))
    if loop != 'uvloop':  # makes whole milliseconds of a delay, and so none of half a millisecond
        rounds = 10 if harness.smoke else 1_000
        await harness.measure_beyond(f'core.sleep_lateness/{loop}/sleep_us:500', 0.0005, rounds,
                                     'us', lambda: asyncio.sleep(0.0005))


def main():
    options = parse_arguments()
    context = {'python': platform.python_version()}
    if options.loop == 'uvloop':
        import uvloop
        uvloop.install()
        context['uvloop'] = uvloop.__version__
    if options.serve:
        asyncio.run(serve_echo())
    else:
        harness = Harness(options)
        asyncio.run(run_all(harness, options.loop))
        harness.print(context)


if __name__ == '__main__':
    main()
