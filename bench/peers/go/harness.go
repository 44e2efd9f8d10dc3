// Times benchmarks and prints what Google Benchmark would.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"sort"
	"strings"
	"syscall"
	"time"
)

var (
	filter      = flag.String("benchmark_filter", ".", "run the benchmarks whose name matches")
	minTime     = flag.Float64("benchmark_min_time", 0.5, "seconds to time each for")
	repetitions = flag.Int("benchmark_repetitions", 1, "how often to run each")
	list        = flag.Bool("benchmark_list_tests", false, "print the names of the benchmarks")
	extent      = flag.String("extent", "usual", "smoke, usual or full")
)

// What Google Benchmark would take as well is no error.
func init() {
	for _, name := range []string{"enable_random_interleaving", "format", "out", "out_format"} {
		flag.String("benchmark_"+name, "", "ignored")
	}
}

type row struct {
	Name            string  `json:"name"`
	RunName         string  `json:"run_name"`
	RunType         string  `json:"run_type"`
	Repetitions     int     `json:"repetitions"`
	RepetitionIndex int     `json:"repetition_index"`
	Threads         int     `json:"threads"`
	Iterations      int     `json:"iterations"`
	RealTime        float64 `json:"real_time"`
	CPUTime         float64 `json:"cpu_time"`
	TimeUnit        string  `json:"time_unit"`
	P50             float64 `json:"p50_us,omitempty"`
	P99             float64 `json:"p99_us,omitempty"`
	BytesPerTask    float64 `json:"bytes_per_task,omitempty"`
	ErrorOccurred   bool    `json:"error_occurred,omitempty"`
	ErrorMessage    string  `json:"error_message,omitempty"`
}

var rows []row

func smoke() bool { return *extent == "smoke" }

// sizes gives the first in a smoke test; more are for a full run.
func sizes(usual []int, more ...int) []int {
	if smoke() {
		return usual[:1]
	}
	if *extent == "full" {
		return append(usual, more...)
	}
	return usual
}

// wanted tells whether to measure a benchmark; where they are listed, it prints the name instead.
func wanted(name string) bool {
	matches := regexp.MustCompile(*filter).MatchString(name)
	if matches && *list {
		fmt.Println(name)
	}
	return matches && !*list
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func add(name string, repetition int, operations int, real, cpu time.Duration,
	unit time.Duration) *row {
	units := map[time.Duration]string{
		time.Nanosecond: "ns", time.Microsecond: "us", time.Millisecond: "ms"}
	per := func(d time.Duration) float64 { return float64(d) / float64(operations) / float64(unit) }
	rows = append(rows, row{Name: name, RunName: name, RunType: "iteration", Repetitions: *repetitions,
		RepetitionIndex: repetition, Threads: 1, Iterations: operations, RealTime: per(real),
		CPUTime: per(cpu), TimeUnit: units[unit]})
	return &rows[len(rows)-1]
}

var began time.Time
var cpuBegan, took, used time.Duration
var running bool

// startClock is for work that has something to set up first.
func startClock() { began, cpuBegan, running = time.Now(), cpuTime(), true }

// stopClock is for work that has something left to end.
func stopClock() {
	if running {
		took, used, running = time.Since(began), cpuTime()-cpuBegan, false
	}
}

// measure times work(n), which does n operations, with n as large as it takes.
func measure(name string, work func(operations int)) { measureBatches(name, 1, work) }

// measureBatches times work(n), which does n batches of operations, for each operation.  A first
// batch warms up: a large one takes longer than the minimal time, so that a cold one would be the
// only one.
func measureBatches(name string, batch int, work func(batches int)) {
	if !wanted(name) {
		return
	}
	work(1)
	enough := time.Duration(*minTime * float64(time.Second))
	for repetition := 0; repetition < *repetitions; repetition++ {
		for batches := 1; ; {
			startClock()
			work(batches)
			stopClock()
			if took >= enough {
				add(name, repetition, batches*batch, took, used, time.Nanosecond)
				break
			}
			if took < enough/10 {
				batches *= 10
			} else {
				batches = int(1.4*float64(batches)*float64(enough)/float64(took)) + 1
			}
		}
	}
}

// fail has the report say what went wrong, instead of a time.
func fail(name, message string) {
	rows = append(rows, row{Name: name, RunName: name, RunType: "iteration",
		ErrorOccurred: true, ErrorMessage: message})
}

// measureBeyond times rounds of work() that are asked to take a certain time each: what is beyond
// it.  Who wakes before its time has not done what was asked for: that fails.
func measureBeyond(name string, asked time.Duration, rounds int, unit time.Duration, work func()) {
	if !wanted(name) {
		return
	}
	work()
	for repetition := 0; repetition < *repetitions; repetition++ {
		var beyond time.Duration
		var each []float64
		cpu := cpuTime()
		for i := 0; i < rounds; i++ {
			start := time.Now()
			work()
			late := time.Since(start) - asked
			if late < 0 {
				fail(name, "woke before its time")
				return
			}
			beyond += late
			each = append(each, float64(late)/float64(time.Microsecond))
		}
		added := add(name, repetition, rounds, beyond, cpuTime()-cpu, unit)
		sort.Float64s(each)
		added.P50, added.P99 = each[len(each)/2], each[len(each)*99/100]
	}
}

// measureParked has another process make tasks that park, by park(), and say what they took; so
// what ran before leaves no memory that could be used again.
func measureParked(name string, tasks int) {
	if !wanted(name) {
		return
	}
	for repetition := 0; repetition < *repetitions; repetition++ {
		said, err := exec.Command("/proc/self/exe", fmt.Sprintf("--park=%d", tasks)).Output()
		var seconds, bytes float64
		if err == nil {
			_, err = fmt.Sscan(string(said), &seconds, &bytes)
		}
		if err != nil {
			fail(name, err.Error())
			return
		}
		took := time.Duration(seconds * float64(time.Second))
		added := add(name, repetition, tasks, took, 0, time.Nanosecond)
		added.BytesPerTask = bytes / float64(tasks)
	}
}

// residentBytes is read where the kernel walks the page tables; its cheaper counters lag behind.
func residentBytes() float64 {
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		panic(err)
	}
	var kb float64
	_, rest, _ := strings.Cut(string(text), "\nRss:")
	if _, err = fmt.Sscan(rest, &kb); err != nil {
		panic(err)
	}
	return kb * 1024
}

// park prints what it took to make tasks that park, in seconds and bytes.
func park(tasks int, makeAndPark func(tasks int)) {
	makeAndPark(1) // what the runtime needs anyway is not counted
	before, start := residentBytes(), time.Now()
	makeAndPark(tasks)
	seconds := time.Since(start).Seconds()
	fmt.Println(seconds, residentBytes()-before)
}

func printRows(context map[string]string) {
	if *list {
		return
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(map[string]any{"context": context, "benchmarks": rows}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
