// Go in the subjects it has an answer for.
//
//	go_peer [--extent=...] [--benchmark_...]   prints rows
//	go_peer --serve                            echoes on the listening socket 3
//	go_peer --park=N                           parks goroutines, prints seconds and bytes
//
// On one processor, as the others: goroutines then never wait for another thread.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"time"
)

var (
	serve = flag.Bool("serve", false, "echo on the listening socket that is descriptor 3")
	parks = flag.Int("park", 0, "park so many goroutines and print what that took")
)

func yield(tasks int) func(int) {
	return func(rounds int) {
		over := false
		for i := 1; i < tasks; i++ {
			go func() {
				for !over {
					runtime.Gosched()
				}
			}()
		}
		runtime.Gosched()
		startClock()
		for i := 0; i < rounds; i++ {
			runtime.Gosched()
		}
		stopClock()
		over = true
		runtime.Gosched() // the others see it, and end
	}
}

func spawnAndAwait(operations int) {
	result := make(chan int)
	for i := 0; i < operations; i++ {
		go func() { result <- 1 }()
		<-result
	}
}

func hop(capacity int) func(int) {
	return func(operations int) {
		queue := make(chan int, capacity)
		go func() {
			for i := 0; i < operations; i++ {
				queue <- i
			}
		}()
		for i := 0; i < operations; i++ {
			<-queue
		}
	}
}

func sleepMany(tasks int) func() {
	return func() {
		var all sync.WaitGroup
		for i := 0; i < tasks; i++ {
			all.Add(1)
			go func() {
				defer all.Done()
				time.Sleep(100 * time.Millisecond)
			}()
		}
		all.Wait()
	}
}

func gather(tasks int) func(int) {
	results := make([]int, tasks)
	return func(rounds int) {
		for i := 0; i < rounds; i++ {
			var all sync.WaitGroup
			all.Add(tasks)
			for j := range results {
				go func(result *int) {
					defer all.Done()
					*result = 1
				}(&results[j])
			}
			all.Wait()
		}
	}
}

// skynet sends the sum of a tree, each subtree of which is a goroutine.
func skynet(sum chan<- int, first, leaves int) {
	if leaves == 1 {
		sum <- first
		return
	}
	parts := make(chan int, 10)
	for i := 0; i < 10; i++ {
		go skynet(parts, first+i*leaves/10, leaves/10)
	}
	total := 0
	for i := 0; i < 10; i++ {
		total += <-parts
	}
	sum <- total
}

func skynets(leaves int) func(int) {
	return func(trees int) {
		sum := make(chan int, 1)
		for i := 0; i < trees; i++ {
			skynet(sum, 0, leaves)
			if <-sum != leaves*(leaves-1)/2 {
				panic("skynet gave a wrong sum")
			}
		}
	}
}

func makeAndPark(tasks int) {
	never := make(chan bool)
	parked := 0
	for i := 0; i < tasks; i++ {
		go func() {
			parked++
			<-never
		}()
	}
	for parked < tasks {
		runtime.Gosched()
	}
}

func echo(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, 16*1024)
	for {
		got, err := connection.Read(buffer)
		if err != nil {
			return
		}
		if _, err = connection.Write(buffer[:got]); err != nil {
			return
		}
	}
}

func serveEcho() error {
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		return err
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go echo(connection)
	}
}

func runAll() {
	for _, tasks := range sizes([]int{2, 10_000}, 100, 1_000, 100_000) {
		measureBatches(fmt.Sprintf("core.yield/go/tasks:%d", tasks), tasks, yield(tasks))
	}
	measure("core.spawn_await/go/stacks:pooled", spawnAndAwait)
	for _, capacity := range []int{0, 1, 128} {
		measure(fmt.Sprintf("concurrency.queue_hop/go/capacity:%d", capacity), hop(capacity))
	}
	for _, tasks := range sizes([]int{10, 1_000}) {
		measureBatches(fmt.Sprintf("concurrency.gather/go/tasks:%d", tasks), tasks, gather(tasks))
	}
	for _, leaves := range sizes([]int{1_000, 100_000}, 1_000_000) {
		measureBatches(fmt.Sprintf("core.skynet/go/leaves:%d", leaves), leaves, skynets(leaves))
	}
	short, many := 1_000, 3
	if smoke() {
		short, many = 10, 1
	}
	for _, tasks := range sizes([]int{1_000, 100_000}, 10_000, 1_000_000) {
		measureBeyond(fmt.Sprintf("core.sleep_many/go/tasks:%d", tasks), 100*time.Millisecond, many,
			time.Millisecond, sleepMany(tasks))
	}
	measureBeyond("core.sleep_lateness/go/sleep_us:500", 500*time.Microsecond, short,
		time.Microsecond, func() { time.Sleep(500 * time.Microsecond) })
	for _, tasks := range sizes([]int{1_000, 100_000}, 10_000, 1_000_000) {
		measureParked(fmt.Sprintf("core.parked_memory/go/tasks:%d", tasks), tasks)
	}
	printRows(map[string]string{"go": runtime.Version()})
}

func main() {
	flag.Parse()
	runtime.GOMAXPROCS(1)
	if *parks > 0 {
		park(*parks, makeAndPark)
	} else if !*serve {
		runAll()
	} else if err := serveEcho(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
