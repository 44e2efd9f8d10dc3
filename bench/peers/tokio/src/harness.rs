//! Times benchmarks and prints what Google Benchmark would.
use std::cell::Cell;
use std::future::Future;
use std::process::Command;
use std::time::{Duration, Instant};

pub struct Harness {
    filter: Vec<String>,
    whole_names: bool,
    list: bool,
    min_time: Duration,
    repetitions: usize,
    pub smoke: bool,
    full: bool,
    rows: Vec<String>,
}

struct Row<'a> {
    name: &'a str,
    repetition: usize,
    operations: u32,
    real: Duration,
    cpu: Duration,
    unit: &'static str,
    counters: String,
}

fn cpu_time() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut now) };
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// What follows this beginning of an argument, if there is one.
fn value(option: &str) -> Option<String> {
    std::env::args().find_map(|argument| argument.strip_prefix(option).map(str::to_owned))
}

thread_local! {
    static BEGAN: Cell<(Instant, Duration)> = Cell::new((Instant::now(), Duration::ZERO));
    static TOOK: Cell<Option<(Duration, Duration)>> = Cell::new(None);
}

/// For work that has something to set up first.
pub fn start_clock() {
    TOOK.with(|took| took.set(None));
    BEGAN.with(|began| began.set((Instant::now(), cpu_time())));
}

fn since_start() -> (Duration, Duration) {
    let (began, cpu) = BEGAN.with(Cell::get);
    (began.elapsed(), cpu_time() - cpu)
}

/// For work that has something left to end.
pub fn stop_clock() {
    TOOK.with(|took| took.set(Some(since_start())));
}

/// Read where the kernel walks the page tables; its cheaper counters lag behind.
fn resident_bytes() -> f64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let kb = text.lines().find_map(|line| line.strip_prefix("Rss:")?.strip_suffix("kB"));
    kb.unwrap().trim().parse::<f64>().unwrap() * 1024.0
}

/// How many tasks to park, if this process is for that.
pub fn to_park() -> Option<usize> {
    value("--park=").map(|tasks| tasks.parse().expect("a number"))
}

/// Prints what it takes to make tasks that park, in seconds and bytes.
pub async fn park<F: Future<Output = ()>>(tasks: usize, make_and_park: impl Fn(usize) -> F) {
    make_and_park(1).await; // what the runtime needs anyway is not counted
    let (before, began) = (resident_bytes(), Instant::now());
    make_and_park(tasks).await;
    println!("{} {}", began.elapsed().as_secs_f64(), resident_bytes() - before);
}

/// Has another process park tasks, so that what ran before leaves no memory that could be used
/// again.
fn parked_elsewhere(tasks: usize) -> (f64, f64) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let said = command.arg(format!("--park={tasks}")).output().unwrap().stdout;
    let said = String::from_utf8(said).unwrap();
    let (seconds, bytes) = said.trim().split_once(' ').expect("seconds and bytes");
    (seconds.parse().unwrap(), bytes.parse().unwrap())
}

fn in_us(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

impl Harness {
    /// Understands what bench/main.cc understands, as far as it matters here.  A filter is one or
    /// more plain parts of names, or with a $ whole names; a regular expression's other signs are
    /// dropped.
    pub fn from_arguments() -> Self {
        let number = |option, otherwise: f64| {
            value(option).map_or(otherwise, |v| v.parse().expect("a number"))
        };
        let filter = value("--benchmark_filter=").unwrap_or_default();
        Harness {
            whole_names: filter.ends_with('$'),
            filter: filter
                .replace(['^', '$', '(', ')', '\\', '[', ']'], "")
                .split('|')
                .map(str::to_owned)
                .collect(),
            list: value("--benchmark_list_tests=").is_some(),
            min_time: Duration::from_secs_f64(number("--benchmark_min_time=", 0.5)),
            repetitions: number("--benchmark_repetitions=", 1.0) as usize,
            smoke: value("--extent=").as_deref() == Some("smoke"),
            full: value("--extent=").as_deref() == Some("full"),
            rows: Vec::new(),
        }
    }

    /// The first in a smoke test; more are for a full run.
    pub fn sizes(&self, usual: &[usize], more: &[usize]) -> Vec<usize> {
        if self.smoke {
            vec![usual[0]]
        } else if self.full {
            [usual, more].concat()
        } else {
            usual.to_vec()
        }
    }

    /// Is it to be measured?  Where they are listed, prints the name instead.
    fn wanted(&self, name: &str) -> bool {
        let matches = self.filter.iter().any(|part| {
            if self.whole_names {
                name == part
            } else {
                name.contains(part)
            }
        });
        if matches && self.list {
            println!("{name}");
        }
        matches && !self.list
    }

    fn add(&mut self, row: Row) {
        let scale = match row.unit {
            "ns" => 1e9,
            "us" => 1e6,
            _ => 1e3,
        } / f64::from(row.operations);
        self.rows.push(format!(
            "    {{\"name\": \"{0}\", \"run_name\": \"{0}\", \"run_type\": \"iteration\", \
             \"repetitions\": {1}, \"repetition_index\": {2}, \"threads\": 1, \
             \"iterations\": {3}, \"real_time\": {4}, \"cpu_time\": {5}, \
             \"time_unit\": \"{6}\"{7}}}",
            row.name,
            self.repetitions,
            row.repetition,
            row.operations,
            row.real.as_secs_f64() * scale,
            row.cpu.as_secs_f64() * scale,
            row.unit,
            row.counters
        ));
    }

    /// Has the report say what went wrong, instead of a time.
    fn fail(&mut self, name: &str, message: &str) {
        self.rows.push(format!(
            "    {{\"name\": \"{name}\", \"run_name\": \"{name}\", \"run_type\": \"iteration\", \
             \"error_occurred\": true, \"error_message\": \"{message}\"}}"
        ));
    }

    /// Times `work(n)`, which does n operations, with n as large as it takes.
    pub async fn measure<F: Future<Output = ()>>(&mut self, name: &str, work: impl Fn(u32) -> F) {
        self.measure_batches(name, 1, work).await;
    }

    /// Times `work(n)`, which does n batches of operations, for each operation.  A first batch
    /// warms up: a large one takes longer than the minimal time, so that a cold one would be the
    /// only one.
    pub async fn measure_batches<F: Future<Output = ()>>(
        &mut self,
        name: &str,
        batch: usize,
        work: impl Fn(u32) -> F,
    ) {
        if !self.wanted(name) {
            return;
        }
        work(1).await;
        for repetition in 0..self.repetitions {
            let mut batches = 1u32;
            loop {
                start_clock();
                work(batches).await;
                let (real, cpu) = TOOK.with(Cell::take).unwrap_or_else(since_start);
                if real >= self.min_time {
                    let operations = batches * batch as u32;
                    let counters = String::new();
                    self.add(Row { name, repetition, operations, real, cpu, unit: "ns", counters });
                    break;
                }
                let growth = if real < self.min_time / 10 {
                    10.0
                } else {
                    1.4 * self.min_time.as_secs_f64() / real.as_secs_f64()
                };
                batches = (f64::from(batches) * growth) as u32 + 1;
            }
        }
    }

    /// Times rounds that are asked to take a certain time each: what is beyond it.  Who wakes
    /// before its time has not done what was asked for: that fails.
    pub async fn measure_beyond<F: Future<Output = ()>>(
        &mut self,
        name: &str,
        asked: Duration,
        rounds: u32,
        unit: &'static str,
        work: impl Fn() -> F,
    ) {
        if !self.wanted(name) {
            return;
        }
        work().await;
        for repetition in 0..self.repetitions {
            let cpu = cpu_time();
            let mut late = Vec::new();
            for _ in 0..rounds {
                let began = Instant::now();
                work().await;
                match began.elapsed().checked_sub(asked) {
                    Some(beyond) => late.push(beyond),
                    None => return self.fail(name, "woke before its time"),
                }
            }
            let cpu = cpu_time() - cpu;
            late.sort();
            let counters = format!(
                ", \"p50_us\": {}, \"p99_us\": {}",
                in_us(late[late.len() / 2]),
                in_us(late[late.len() * 99 / 100])
            );
            let real = late.iter().sum();
            self.add(Row { name, repetition, operations: rounds, real, cpu, unit, counters });
        }
    }

    /// The time and the memory of tasks that the program parks when it is called with --park=.
    pub fn measure_parked(&mut self, name: &str, tasks: usize) {
        if !self.wanted(name) {
            return;
        }
        for repetition in 0..self.repetitions {
            let (seconds, bytes) = parked_elsewhere(tasks);
            let operations = tasks as u32;
            let (real, cpu, unit) = (Duration::from_secs_f64(seconds), Duration::ZERO, "ns");
            let counters = format!(", \"bytes_per_task\": {}", bytes / tasks as f64);
            self.add(Row { name, repetition, operations, real, cpu, unit, counters });
        }
    }

    pub fn print(&self) {
        if self.list {
            return;
        }
        let rows = self.rows.join(",\n");
        println!("{{\n  \"context\": {{}},\n  \"benchmarks\": [\n{rows}\n  ]\n}}");
    }
}
