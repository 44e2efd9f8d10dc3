//! Times benchmarks and prints what Google Benchmark would.
use std::cell::Cell;
use std::future::Future;
use std::time::{Duration, Instant};

pub struct Harness {
    filter: Vec<String>,
    list: bool,
    min_time: Duration,
    repetitions: usize,
    pub smoke: bool,
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

thread_local! {
    static BEGAN: Cell<(Instant, Duration)> = Cell::new((Instant::now(), Duration::ZERO));
}

/// For work that has something to set up first.
pub fn start_clock() {
    BEGAN.with(|began| began.set((Instant::now(), cpu_time())));
}

fn in_us(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

impl Harness {
    /// Understands what bench/main.cc understands, as far as it matters here.  A filter is one or more
    /// plain parts of names; the rest of a regular expression's signs are dropped.
    pub fn from_arguments() -> Self {
        let value = |option: &str| {
            std::env::args().find_map(|a| a.strip_prefix(option).map(str::to_owned))
        };
        let number = |option, otherwise: f64| {
            value(option).map_or(otherwise, |v| v.parse().expect("a number"))
        };
        Harness {
            filter: value("--benchmark_filter=")
                .unwrap_or_default()
                .replace(['^', '$', '(', ')', '\\', '[', ']'], "")
                .split('|')
                .map(str::to_owned)
                .collect(),
            list: value("--benchmark_list_tests=").is_some(),
            min_time: Duration::from_secs_f64(number("--benchmark_min_time=", 0.5)),
            repetitions: number("--benchmark_repetitions=", 1.0) as usize,
            smoke: value("--extent=").as_deref() == Some("smoke"),
            rows: Vec::new(),
        }
    }

    pub fn sizes(&self, usual: &[usize]) -> Vec<usize> {
        usual[..if self.smoke { 1 } else { usual.len() }].to_vec()
    }

    /// Is it to be measured?  Where they are listed, prints the name instead.
    fn wanted(&self, name: &str) -> bool {
        let matches = self.filter.iter().any(|part| name.contains(part));
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

    /// Times `work(n)`, which does n operations, with n as large as it takes.
    pub async fn measure<F: Future<Output = ()>>(&mut self, name: &str, work: impl Fn(u32) -> F) {
        if !self.wanted(name) {
            return;
        }
        for repetition in 0..self.repetitions {
            let mut operations = 1u32;
            loop {
                start_clock();
                work(operations).await;
                let (began, cpu) = BEGAN.with(Cell::get);
                let (real, cpu) = (began.elapsed(), cpu_time() - cpu);
                if real >= self.min_time {
                    let counters = String::new();
                    self.add(Row { name, repetition, operations, real, cpu, unit: "ns", counters });
                    break;
                }
                let growth = if real < self.min_time / 10 {
                    10.0
                } else {
                    1.4 * self.min_time.as_secs_f64() / real.as_secs_f64()
                };
                operations = (f64::from(operations) * growth) as u32 + 1;
            }
        }
    }

    /// Times rounds that are asked to take a certain time each: what is beyond it.
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
                late.push(began.elapsed() - asked);
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

    pub fn print(&self) {
        if self.list {
            return;
        }
        println!("{{\n  \"context\": {{}},\n  \"benchmarks\": [\n{}\n  ]\n}}", self.rows.join(",\n"));
    }
}
