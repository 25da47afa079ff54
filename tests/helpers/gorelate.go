// A program that dies and leaves everything behind: a log on standard error, and in the folder it is given a heap profile, a mutex
// profile, a goroutine dump and an execution trace of its last moments.
package main

import (
	"log"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"runtime/trace"
	"sync"
	"time"
)

var (
	dir   string
	cache [][]byte
	lock  sync.Mutex
	spare sync.Mutex
	other *int
)

func write(name, profile string, form int) {
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		log.Fatal(err)
	}
	pprof.Lookup(profile).WriteTo(f, form)
	if err := f.Close(); err != nil {
		log.Fatal(err)
	}
}

func leave() {
	trace.Stop()
	runtime.GC()
	write("heap.pb.gz", "heap", 0)
	write("mutex.pb.gz", "mutex", 0)
	write("goroutines.txt", "goroutine", 2)
}

//go:noinline
func grow(n int) {
	for i := 0; i < n; i++ {
		cache = append(cache, make([]byte, 1<<20))
	}
}

//go:noinline
func store(n int) {
	grow(n)
	lock.Lock()
	time.Sleep(20 * time.Millisecond)
	lock.Unlock()
	*other = len(cache)
}

func dying(n int) {
	defer func() {
		if v := recover(); v != nil {
			leave()
			log.Print("the store is broken")
			panic(v)
		}
	}()
	store(n)
}

func blocked(first, second *sync.Mutex) {
	first.Lock()
	time.Sleep(10 * time.Millisecond)
	second.Lock()
}

func main() {
	dir = os.Args[2]
	runtime.MemProfileRate = 4096
	runtime.SetMutexProfileFraction(1)
	debug.SetGCPercent(20)
	f, err := os.Create(filepath.Join(dir, "trace.out"))
	if err != nil {
		log.Fatal(err)
	}
	trace.Start(f)
	log.Print("it starts")
	switch os.Args[1] {
	case "panic":
		go dying(20)
		for {
			lock.Lock()
			time.Sleep(time.Millisecond)
			lock.Unlock()
		}
	case "memory": // the runtime's own words: no request of this size can be met
		grow(20)
		leave()
		log.Print("one more")
		grow2 := make([][]byte, 0)
		for {
			grow2 = append(grow2, make([]byte, 1<<46))
		}
	case "locks":
		go blocked(&lock, &spare)
		go blocked(&spare, &lock)
		time.Sleep(200 * time.Millisecond)
		leave()
	}
}
