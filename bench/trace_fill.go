// Trace_fill leaves a large execution trace: eight pipelines of eleven goroutines, a lock they share, and many short ones.
// usage: trace_fill -o FILE -n VALUES (60000: about 100 MB)
package main

import (
	"flag"
	"os"
	"runtime"
	"runtime/trace"
	"sync"
	"time"
)

func stage(n int, in <-chan int, mu *sync.Mutex) <-chan int {
	out := make(chan int)
	go func() {
		defer close(out)
		for v := range in {
			if v%7 == 0 {
				mu.Lock()
				runtime.Gosched()
				mu.Unlock()
			}
			if v%97 == 0 {
				var wg sync.WaitGroup
				for i := 0; i < 4; i++ {
					wg.Add(1)
					go func() { defer wg.Done(); _ = make([]byte, 4096) }()
				}
				wg.Wait()
			}
			out <- v + n
		}
	}()
	return out
}

func main() {
	name := flag.String("o", "big.trace", "file")
	n := flag.Int("n", 1000, "values")
	flag.Parse()
	runtime.GOMAXPROCS(8)
	f, _ := os.Create(*name)
	trace.Start(f)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for p := 0; p < 8; p++ {
		src := make(chan int)
		go func() {
			for i := 0; i < *n; i++ {
				src <- i
			}
			close(src)
		}()
		var c <-chan int = src
		for i := 0; i < 10; i++ {
			c = stage(i, c, &mu)
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range c {
			}
		}()
	}
	wg.Wait()
	time.Sleep(10 * time.Millisecond)
	trace.Stop()
	if err := f.Close(); err != nil {
		panic(err)
	}
}
