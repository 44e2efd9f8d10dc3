//! Tokio in the subjects it has an answer for.
//!
//!     tokio_peer [--extent=...] [--benchmark_...]   prints rows
//!     tokio_peer --serve                            echoes on the listening socket 3
//!
//! On the runtime of one thread, which its manual has for this: no task is sent to another one.
mod harness;

use harness::{start_clock, Harness};
use std::os::fd::FromRawFd;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{spawn, yield_now};
use tokio::time::sleep;

async fn yield_with(tasks: u32, operations: u32) {
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
    for _ in 0..operations / tasks + 1 {
        yield_now().await;
    }
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
    for tasks in harness.sizes(&[2, 10_000]) {
        let name = format!("core.yield/tokio/tasks:{tasks}");
        harness.measure(&name, |operations| yield_with(tasks as u32, operations)).await;
    }
    harness.measure("core.spawn_await/tokio/stacks:pooled", spawn_and_await).await;
    for capacity in [1, 128] {
        // a channel without room is not to be had
        let name = format!("concurrency.queue_hop/tokio/capacity:{capacity}");
        harness.measure(&name, |operations| hop(capacity, operations)).await;
    }
    let (many, short) = if harness.smoke { (1, 10) } else { (3, 1_000) };
    for tasks in harness.sizes(&[1_000, 100_000]) {
        let name = format!("core.sleep_many/tokio/tasks:{tasks}");
        let asked = Duration::from_millis(100);
        harness.measure_beyond(&name, asked, many, "ms", || sleep_many(tasks)).await;
    }
    let asked = Duration::from_micros(500);
    let name = "core.sleep_lateness/tokio/sleep_us:500";
    harness.measure_beyond(name, asked, short, "us", || sleep(asked)).await;
    harness.print();
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if std::env::args().any(|argument| argument == "--serve") {
        runtime.block_on(serve_echo()).unwrap();
    } else {
        runtime.block_on(async { spawn(run_all()).await.unwrap() });
    }
}
