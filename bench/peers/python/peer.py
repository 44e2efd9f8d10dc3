"""Python's asyncio, and uvloop under it, in the subjects they have an answer for.

peer.py [--loop=python_asyncio|uvloop] [--extent=...] [--benchmark_...]   prints rows
peer.py [--loop=...] --serve                            echoes on the listening socket 3
"""
import asyncio
import platform
import socket

from harness import Harness, parse_arguments


def yield_with(tasks, start_clock):
    async def work(operations):
        over = False

        async def give_way():
            while not over:
                await asyncio.sleep(0)

        others = [asyncio.create_task(give_way()) for _ in range(tasks - 1)]
        await asyncio.sleep(0)
        rounds = -(-operations // tasks)
        start_clock()
        for _ in range(rounds):
            await asyncio.sleep(0)
        over = True
        await asyncio.gather(*others)
        return rounds * tasks

    return work


async def spawn_and_await(operations):
    async def one():
        return 1

    for _ in range(operations):
        await asyncio.create_task(one())


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
    for tasks in harness.sizes(2, 10_000):
        await harness.measure(f'core.yield/{loop}/tasks:{tasks}',
                              yield_with(tasks, harness.start_clock))
    await harness.measure(f'core.spawn_await/{loop}/stacks:pooled', spawn_and_await)
    for capacity in (1, 128):  # no room at all means unlimited here
        await harness.measure(f'concurrency.queue_hop/{loop}/capacity:{capacity}', hop(capacity))
    short = 10 if harness.smoke else 1_000
    for tasks in harness.sizes(1_000, 100_000):
        await harness.measure_beyond(f'core.sleep_many/{loop}/tasks:{tasks}', 0.1, 1, 'ms',
                                     sleep_many(tasks))
    await harness.measure_beyond(f'core.sleep_lateness/{loop}/sleep_us:500', 0.0005, short, 'us',
                                 lambda: asyncio.sleep(0.0005))


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
