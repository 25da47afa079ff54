// Gotrace leaves an execution trace with something of everything in it: gotrace FILE [-flight | -slow].
// With Go before 1.22 it is a trace of the old format.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/trace"
	"sync"
	"syscall"
	"time"
)

var sink [][]byte
var listeners []net.Listener

func spin(n int) int {
	x := 0
	for i := 0; i < n; i++ {
		x += i * i
	}
	return x
}

func worker(in <-chan int, out chan<- int, mu *sync.Mutex, hold time.Duration) {
	for v := range in {
		mu.Lock()
		spin(100000)
		if hold > 0 {
			time.Sleep(hold)
		}
		mu.Unlock()
		out <- v
	}
}

func never() {
	var c chan int
	<-c
}

// A read of a blocking descriptor, which the poller does not know.
func stuckInSyscall(fd int) {
	var b [1]byte
	syscall.Read(fd, b[:])
}

func deadlines(c net.Conn) {
	for {
		c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		var b [1]byte
		c.Read(b[:])
	}
}

func echo(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			var b [64]byte
			for {
				n, err := c.Read(b[:])
				if err != nil {
					return
				}
				c.Write(b[:n])
			}
		}()
	}
}

func client(c net.Conn) {
	var b [64]byte
	for {
		c.Write([]byte("hello"))
		if _, err := c.Read(b[:]); err != nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func allocate(ctx context.Context) {
	for {
		trace.WithRegion(ctx, "allocate", func() {
			for i := 0; i < 100; i++ {
				sink = append(sink, make([]byte, 20000))
			}
		})
		if len(sink) > 1000 {
			sink = nil
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func dial(ln net.Listener) net.Conn {
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		panic(err)
	}
	return c
}

func work(d, hold time.Duration) {
	ctx, task := trace.NewTask(context.Background(), "task <b>&\"\x1b[31m")
	trace.Log(ctx, "user", "alice </title><script>alert(1)</script>")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	listeners = append(listeners, ln, silent) // one that is collected is closed
	var fds [2]int
	syscall.Pipe(fds[:])
	go never()
	go stuckInSyscall(fds[0])
	go echo(ln)
	go client(dial(ln))
	go deadlines(dial(silent))
	go allocate(ctx)
	in, out := make(chan int), make(chan int)
	var mu sync.Mutex
	for i := 0; i < 6; i++ {
		go worker(in, out, &mu, hold)
	}
	end := time.Now().Add(d)
	go func() {
		for i := 0; time.Now().Before(end); i++ {
			in <- i
		}
		close(in)
	}()
	for time.Now().Before(end) {
		select {
		case <-out:
		case <-time.After(100 * time.Millisecond):
		}
	}
	runtime.GC()
	task.End()
}

func main() {
	mode := ""
	if len(os.Args) > 2 {
		mode = os.Args[2]
	}
	if mode == "-flight" {
		flight(os.Args[1])
		return
	}
	f, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	if err := trace.Start(f); err != nil {
		panic(err)
	}
	hold := time.Duration(0)
	if mode == "-slow" {
		hold = 3 * time.Millisecond
	}
	work(1200*time.Millisecond, hold)
	trace.Stop()
	if err := f.Close(); err != nil {
		panic(err)
	}
	fmt.Println("done")
}
