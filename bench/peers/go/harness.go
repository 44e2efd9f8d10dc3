// Times benchmarks and prints what Google Benchmark would.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"sort"
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
}

var rows []row

func smoke() bool { return *extent == "smoke" }

// sizes gives the first in a smoke test.
func sizes(all ...int) []int {
	if smoke() {
		return all[:1]
	}
	return all
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

func add(name string, repetition int, operations int, real, cpu time.Duration, unit time.Duration) *row {
	units := map[time.Duration]string{time.Nanosecond: "ns", time.Microsecond: "us", time.Millisecond: "ms"}
	per := func(d time.Duration) float64 { return float64(d) / float64(operations) / float64(unit) }
	rows = append(rows, row{Name: name, RunName: name, RunType: "iteration", Repetitions: *repetitions,
		RepetitionIndex: repetition, Threads: 1, Iterations: operations, RealTime: per(real),
		CPUTime: per(cpu), TimeUnit: units[unit]})
	return &rows[len(rows)-1]
}

var began time.Time
var cpuBegan time.Duration

// startClock is for work that has something to set up first.
func startClock() { began, cpuBegan = time.Now(), cpuTime() }

// measure times work(n), which does n operations, with n as large as it takes.
func measure(name string, work func(operations int)) {
	if !wanted(name) {
		return
	}
	enough := time.Duration(*minTime * float64(time.Second))
	for repetition := 0; repetition < *repetitions; repetition++ {
		for operations := 1; ; {
			startClock()
			work(operations)
			took, used := time.Since(began), cpuTime()-cpuBegan
			if took >= enough {
				add(name, repetition, operations, took, used, time.Nanosecond)
				break
			}
			if took < enough/10 {
				operations *= 10
			} else {
				operations = int(1.4*float64(operations)*float64(enough)/float64(took)) + 1
			}
		}
	}
}

// measureBeyond times rounds of work() that are asked to take a certain time each: what is beyond it.
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
			beyond += late
			each = append(each, float64(late)/float64(time.Microsecond))
		}
		added := add(name, repetition, rounds, beyond, cpuTime()-cpu, unit)
		sort.Float64s(each)
		added.P50, added.P99 = each[len(each)/2], each[len(each)*99/100]
	}
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
