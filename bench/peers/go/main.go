// Go in the subjects it has an answer for.
//
//	go_peer [--extent=...] [--benchmark_...]   prints rows
//	go_peer --serve                            echoes on the listening socket 3
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

var serve = flag.Bool("serve", false, "echo on the listening socket that is descriptor 3")

func yield(tasks int) func(int) {
	return func(operations int) {
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
		for i := 0; i < operations; i += tasks {
			runtime.Gosched()
		}
		over = true
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
	for _, tasks := range sizes(2, 10_000) {
		measure(fmt.Sprintf("core.yield/go/tasks:%d", tasks), yield(tasks))
	}
	measure("core.spawn_await/go/stacks:pooled", spawnAndAwait)
	for _, capacity := range []int{0, 1, 128} {
		measure(fmt.Sprintf("concurrency.queue_hop/go/capacity:%d", capacity), hop(capacity))
	}
	short, many := 1_000, 3
	if smoke() {
		short, many = 10, 1
	}
	for _, tasks := range sizes(1_000, 100_000) {
		measureBeyond(fmt.Sprintf("core.sleep_many/go/tasks:%d", tasks), 100*time.Millisecond, many,
			time.Millisecond, sleepMany(tasks))
	}
	measureBeyond("core.sleep_lateness/go/sleep_us:500", 500*time.Microsecond, short,
		time.Microsecond, func() { time.Sleep(500 * time.Microsecond) })
	printRows(map[string]string{"go": runtime.Version()})
}

func main() {
	flag.Parse()
	runtime.GOMAXPROCS(1)
	if !*serve {
		runAll()
	} else if err := serveEcho(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
