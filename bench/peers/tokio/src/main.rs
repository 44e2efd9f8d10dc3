//! Tokio in the subjects it has an answer for.
//!
//!     tokio_peer [--extent=...] [--benchmark_...]   prints rows
//!     tokio_peer --serve                            echoes on the listening socket 3
//!     tokio_peer --park=N                           parks tasks, prints seconds and bytes
//!
//! On the runtime of one thread, which its manual has for this: no task is sent to another one.
mod harness;

use harness::{start_clock, stop_clock, Harness};
use std::os::fd::FromRawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, Notify, Semaphore};
use tokio::task::{spawn, yield_now, JoinHandle, JoinSet};
use tokio::time::sleep;

async fn yield_with(tasks: usize, rounds: u32) {
    let over = Arc::new(AtomicBool::new(false));
    let mut others = Vec::new();
    for _ in 1..tasks {
        let over = over.clone();
        others.push(spawn(async move {
            while !over.load(Relaxed) {
                yield_now().await;
            }
        }));
    }
    yield_now().await;
    start_clock();
    for _ in 0..rounds {
        yield_now().await;
    }
    stop_clock();
    over.store(true, Relaxed);
    for other in others {
        other.await.unwrap();
    }
}

async fn spawn_and_await(operations: u32) {
    for _ in 0..operations {
        assert_eq!(spawn(async { 1 }).await.unwrap(), 1);
    }
}

async fn hop(capacity: usize, operations: u32) {
    let (putter, mut getter) = mpsc::channel(capacity);
    spawn(async move {
        for item in 0..operations {
            putter.send(item).await.unwrap();
        }
    });
    while getter.recv().await.is_some() {}
}

async fn sleep_many(tasks: usize) {
    let mut all = Vec::with_capacity(tasks);
    for _ in 0..tasks {
        all.push(spawn(sleep(Duration::from_millis(100))));
    }
    for task in all {
        task.await.unwrap();
    }
}

/// One after the other, which keeps the order of the results and is all that join_all would add.
async fn gather(tasks: usize, rounds: u32) {
    for _ in 0..rounds {
        let all: Vec<_> = (0..tasks).map(|_| spawn(async { 1 })).collect();
        let mut results = Vec::with_capacity(tasks);
        for task in all {
            results.push(task.await.unwrap());
        }
        std::hint::black_box(results);
    }
}

async fn group(tasks: usize, rounds: u32) {
    for _ in 0..rounds {
        let mut group = JoinSet::new();
        for _ in 0..tasks {
            group.spawn(async {});
        }
        while let Some(result) = group.join_next().await {
            result.unwrap();
        }
    }
}

async fn permits_to_spare(operations: u32) {
    let semaphore = Semaphore::new(2);
    for _ in 0..operations {
        drop(semaphore.acquire().await.unwrap());
    }
}

const LOCKS_EACH: usize = 100;

/// Each task takes the one permit again and again, and gives way while it has it.
async fn contend(tasks: usize, rounds: u32) {
    let semaphore = Arc::new(Semaphore::new(1));
    for _ in 0..rounds {
        let mut all = Vec::with_capacity(tasks);
        for _ in 0..tasks {
            let semaphore = semaphore.clone();
            all.push(spawn(async move {
                for _ in 0..LOCKS_EACH {
                    let _permit = semaphore.acquire().await.unwrap();
                    yield_now().await;
                }
            }));
        }
        for task in all {
            task.await.unwrap();
        }
    }
}

/// A task that adds up the numbers of ten subtrees.
fn skynet(first: usize, leaves: usize) -> JoinHandle<usize> {
    spawn(async move {
        if leaves == 1 {
            return first;
        }
        let part = leaves / 10;
        let mut children = Vec::with_capacity(10);
        for i in 0..10 {
            children.push(skynet(first + i * part, part));
        }
        let mut sum = 0;
        for child in children {
            sum += child.await.unwrap();
        }
        sum
    })
}

async fn skynets(leaves: usize, trees: u32) {
    for _ in 0..trees {
        let sum = skynet(0, leaves).await.unwrap();
        assert_eq!(sum, leaves * (leaves - 1) / 2, "skynet gave a wrong sum");
    }
}

async fn make_and_park(tasks: usize) {
    let (never, parked) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    for _ in 0..tasks {
        let (never, parked) = (never.clone(), parked.clone());
        spawn(async move {
            parked.fetch_add(1, Relaxed);
            never.notified().await;
        });
    }
    while parked.load(Relaxed) < tasks {
        yield_now().await;
    }
}

async fn echo(mut connection: TcpStream) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let got = connection.read(&mut buffer).await?;
        if got == 0 {
            return Ok(());
        }
        connection.write_all(&buffer[..got]).await?;
    }
}

async fn serve_echo() -> std::io::Result<()> {
    let listener = unsafe { std::net::TcpListener::from_raw_fd(3) };
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    loop {
        spawn(echo(listener.accept().await?.0));
    }
}

async fn run_all() {
    let mut harness = Harness::from_arguments();
    for tasks in harness.sizes(&[2, 10_000], &[100, 1_000, 100_000]) {
        let name = format!("core.yield/tokio/tasks:{tasks}");
        harness.measure_batches(&name, tasks, |rounds| yield_with(tasks, rounds)).await;
    }
    harness.measure("core.spawn_await/tokio/stacks:pooled", spawn_and_await).await;
    for capacity in [1, 128] {
        // a channel without room is not to be had
        let name = format!("concurrency.queue_hop/tokio/capacity:{capacity}");
        harness.measure(&name, |operations| hop(capacity, operations)).await;
    }
    for tasks in harness.sizes(&[10, 1_000], &[]) {
        let name = format!("concurrency.gather/tokio/tasks:{tasks}");
        harness.measure_batches(&name, tasks, |rounds| gather(tasks, rounds)).await;
    }
    for tasks in harness.sizes(&[1, 10, 1_000], &[]) {
        let name = format!("concurrency.task_group/tokio/tasks:{tasks}");
        harness.measure_batches(&name, tasks, |rounds| group(tasks, rounds)).await;
    }
    harness.measure("concurrency.semaphore/tokio/tasks:1", permits_to_spare).await;
    for tasks in harness.sizes(&[2, 100], &[]) {
        let name = format!("concurrency.semaphore/tokio/tasks:{tasks}");
        let locks = tasks * LOCKS_EACH;
        harness.measure_batches(&name, locks, |rounds| contend(tasks, rounds)).await;
    }
    for leaves in harness.sizes(&[1_000, 100_000], &[1_000_000]) {
        let name = format!("core.skynet/tokio/leaves:{leaves}");
        harness.measure_batches(&name, leaves, |trees| skynets(leaves, trees)).await;
    }
    let (many, short) = if harness.smoke { (1, 10) } else { (3, 1_000) };
    for tasks in harness.sizes(&[1_000, 100_000], &[10_000, 1_000_000]) {
        let name = format!("core.sleep_many/tokio/tasks:{tasks}");
        let asked = Duration::from_millis(100);
        harness.measure_beyond(&name, asked, many, "ms", || sleep_many(tasks)).await;
    }
    let asked = Duration::from_micros(500);
    let name = "core.sleep_lateness/tokio/sleep_us:500";
    harness.measure_beyond(name, asked, short, "us", || sleep(asked)).await;
    for tasks in harness.sizes(&[1_000, 100_000], &[10_000, 1_000_000]) {
        harness.measure_parked(&format!("core.parked_memory/tokio/tasks:{tasks}"), tasks);
    }
    harness.print();
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if std::env::args().any(|argument| argument == "--serve") {
        runtime.block_on(serve_echo()).unwrap();
    } else if let Some(tasks) = harness::to_park() {
        runtime.block_on(async { spawn(harness::park(tasks, make_and_park)).await.unwrap() });
    } else {
        runtime.block_on(async { spawn(run_all()).await.unwrap() });
    }
}
