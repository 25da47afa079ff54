// Dies, hangs, leaks or recovers in the way that its first argument names. For tests/e2e/tracebacks.py.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"sync"
	"syscall"
	"time"
)

type stringer struct{ n int }

func (s stringer) String() string { return "stringer " + strconv.Itoa(s.n) }

type text string
type pair struct{ a, b int }
type bad struct{ p *pair }

func (b bad) Error() string { return strconv.Itoa(b.p.a) }

type tree struct{ left, right *tree }

func (t *tree) depth() int { return 1 + t.left.depth() + t.right.depth() }

//go:noinline
func deref(p *pair) int { return p.b }

//go:noinline
func index(s []int, i int) int { return s[i] }

//go:noinline
func slice(s []int, i, j int) []int { return s[i:j] }

//go:noinline
func divide(a, b int) int { return a / b }

//go:noinline
func forever(n int) int { return forever(n+1) + 1 }

func both(f func()) {
	for i := 0; i < 4; i++ {
		go f()
	}
	time.Sleep(5 * time.Second)
}

func raise(sig syscall.Signal) {
	syscall.Kill(os.Getpid(), sig)
	time.Sleep(5 * time.Second)
}

var deaths = map[string]func(){
	// 1.3
	"string":   func() { panic("boom") },
	"error":    func() { panic(errors.New("an error")) },
	"stringer": func() { panic(stringer{7}) },
	"text":     func() { panic(text("hey")) },
	"struct":   func() { panic(&pair{1, 2}) },
	"float":    func() { panic(3.5) },
	"lines":    func() { panic("first line\nsecond line\n\nfourth line") },
	"chain": func() {
		defer func() { panic("second") }()
		panic("first")
	},
	"repanic": func() {
		defer func() { panic(recover()) }()
		panic("again")
	},
	"nil":       func() { panic(nil) },
	"deref":     func() { deref(nil) },
	"index":     func() { index(make([]int, 3), 5) },
	"slice":     func() { slice(make([]int, 3), 2, 9) },
	"divide":    func() { divide(1, len(os.Args)-2) },
	"map":       func() { var m map[string]int; m["a"] = 1 },
	"send":      func() { c := make(chan int); close(c); c <- 1 },
	"closed":    func() { c := make(chan int); close(c); close(c) },
	"closenil":  func() { var c chan int; close(c) },
	"interface": func() { var x interface{} = 1; fmt.Println(x.(string)) },
	"waitgroup": func() { var w sync.WaitGroup; w.Done() },
	"inerror":   func() { panic(bad{}) },
	"forged":    func() { panic("oops\n\ngoroutine 1 [running]:\nmain.innocent()\n\t/src/innocent.go:7 +0x1d") },
	"log":       func() { log.Panic("logged") },
	// 1.4
	"deadlock": func() { <-make(chan int) },
	"goexit":   func() { runtime.Goexit() },
	"mapwrite": func() {
		m := map[int]int{}
		both(func() {
			for i := 0; ; i++ {
				m[i&7] = i
			}
		})
	},
	"unlock":   func() { var m sync.Mutex; m.Unlock() },
	"rwunlock": func() { var m sync.RWMutex; m.Unlock() },
	"runlock":  func() { var m sync.RWMutex; m.RUnlock() },
	"stack":    func() { debug.SetMaxStack(1 << 20); fmt.Println(forever(0)) },
	"recursion": func() {
		debug.SetMaxStack(1 << 20)
		t := &tree{}
		t.left, t.right = t, t
		fmt.Println(t.depth())
	},
	"threads": func() {
		debug.SetMaxThreads(12)
		for i := 0; i < 40; i++ {
			go func() { runtime.LockOSThread(); time.Sleep(5 * time.Second) }()
		}
		time.Sleep(5 * time.Second)
	},
	"gonil":  func() { var f func(); go f(); time.Sleep(time.Second) },
	"memory": func() { b := make([]byte, 1<<46); fmt.Println(len(b)) },
	"quit":   func() { raise(syscall.SIGQUIT) },
	"abort":  func() { raise(syscall.SIGABRT) },
	"segv":   func() { raise(syscall.SIGSEGV) },
	"bus":    func() { raise(syscall.SIGBUS) },
	// 1.7
	"exit3": func() { os.Exit(3) },
	"term":  func() { raise(syscall.SIGTERM) },
}

// ---- what waits ----

type account struct {
	id  int
	mu  sync.Mutex
	sum int
}

//go:noinline
func transfer(from, to *account, ready *sync.WaitGroup) {
	from.mu.Lock()
	defer from.mu.Unlock()
	ready.Done()
	ready.Wait()
	to.mu.Lock()
	defer to.mu.Unlock()
	from.sum--
	to.sum++
}

var muA, muB sync.Mutex

//go:noinline
func firstA(ready *sync.WaitGroup) {
	muA.Lock()
	ready.Done()
	ready.Wait()
	muB.Lock()
	muA.Unlock()
}

//go:noinline
func firstB(ready *sync.WaitGroup) {
	muB.Lock()
	ready.Done()
	ready.Wait()
	muA.Lock()
	muB.Unlock()
}

//go:noinline
func (a *account) total() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sum + a.half()
}

//go:noinline
func (a *account) half() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sum / 2
}

//go:noinline
func stage(in <-chan int, out chan<- int) {
	for v := range in {
		out <- v + 1
	}
}

//go:noinline
func pump(in <-chan int, out chan<- int) {
	out <- <-in
}

//go:noinline
func query() int {
	c := make(chan int)
	go func() { time.Sleep(10 * time.Millisecond); c <- 1 }()
	select {
	case v := <-c:
		return v
	case <-time.After(time.Millisecond):
		return -1
	}
}

//go:noinline
func gather(n int) {
	var w sync.WaitGroup
	w.Add(n + 1)
	for i := 0; i < n; i++ {
		go w.Done()
	}
	w.Wait()
}

//go:noinline
func (a *account) slow(d time.Duration) {
	a.mu.Lock()
	time.Sleep(d)
	a.sum++
	a.mu.Unlock()
}

func twice(f func(ready *sync.WaitGroup), g func(ready *sync.WaitGroup)) {
	var ready sync.WaitGroup
	ready.Add(2)
	go f(&ready)
	go g(&ready)
}

var hangs = map[string]func(){
	"crosswise": func() {
		a, b := &account{id: 1}, &account{id: 2}
		twice(func(r *sync.WaitGroup) { transfer(a, b, r) }, func(r *sync.WaitGroup) { transfer(b, a, r) })
	},
	"circle": func() {
		var ready sync.WaitGroup
		ready.Add(3)
		a, b, c := &account{id: 1}, &account{id: 2}, &account{id: 3}
		go transfer(a, b, &ready)
		go transfer(b, c, &ready)
		go transfer(c, a, &ready)
	},
	"globals": func() { twice(firstA, firstB) },
	"self":    func() { a := &account{id: 1}; go a.total() },
	"ring": func() {
		a, b := make(chan int), make(chan int)
		go stage(a, b)
		go pump(b, a)
	},
	"nilchan": func() {
		go func() { var c chan int; <-c }()
		go func() { var c chan int; c <- 1 }()
	},
	"nocases": func() {
		for i := 0; i < 3; i++ {
			go func() { select {} }()
		}
	},
	"abandoned": func() {
		for i := 0; i < 20; i++ {
			query()
		}
	},
	"nodone": func() { go gather(3) },
	"convoy": func() {
		a := &account{id: 1}
		go a.slow(time.Minute)
		time.Sleep(50 * time.Millisecond)
		for i := 0; i < 30; i++ {
			go a.slow(0)
		}
	},
	"runnable": func() {
		runtime.GOMAXPROCS(1)
		for i := 0; i < 200; i++ {
			go func() {
				for {
					runtime.Gosched()
				}
			}()
		}
	},
	"healthy": func() {
		jobs := make(chan int)
		for i := 0; i < 20; i++ {
			go func() {
				for j := range jobs {
					fmt.Println(j)
				}
			}()
		}
		l := httptest.NewServer(http.NotFoundHandler())
		http.Get(l.URL) //tocsin:allow N04 a server of this process
		var m sync.Mutex
		go func() {
			for {
				m.Lock()
				time.Sleep(time.Millisecond)
				m.Unlock()
			}
		}()
	},
}

func leak(n int) {
	for i := 0; i < n; i++ {
		query()
	}
}

func hang(how, dump string) {
	hangs[how]()
	time.Sleep(300 * time.Millisecond)
	if dump == "quit" {
		raise(syscall.SIGQUIT)
	}
	pprof.Lookup("goroutine").WriteTo(os.Stdout, 2)
}

// ---- what is recovered ----

func serve() {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/abort":
			panic(http.ErrAbortHandler)
		case "/deref":
			deref(nil)
		default:
			panic("boom in handler")
		}
	})
	s := httptest.NewServer(h)
	for i := 0; i < 3; i++ {
		for _, p := range []string{"/", "/deref", "/abort"} {
			if r, err := http.Get(s.URL + p); err == nil { //tocsin:allow N04 a server of this process
				io.Copy(io.Discard, r.Body)
			}
		}
	}
	s.Close()
}

func printed() {
	defer func() {
		if v := recover(); v != nil {
			log.Printf("worker failed: %v\n%s", v, debug.Stack())
		}
	}()
	deref(nil)
}

func imitated() {
	defer func() {
		if v := recover(); v != nil {
			fmt.Fprintf(os.Stderr, "panic: %v\n%s\n", v, debug.Stack())
		}
	}()
	deref(nil)
}

var lives = map[string]func(){
	"http":     serve,
	"printed":  printed,
	"imitated": imitated,
	"fmt":      func() { log.Printf("value: %v", bad{}) },
}

func main() {
	how := os.Args[1]
	if f := deaths[how]; f != nil {
		f()
	} else if hangs[how] != nil {
		hang(how, os.Args[2])
	} else if how == "leak" {
		n, _ := strconv.Atoi(os.Args[2])
		leak(n)
		time.Sleep(50 * time.Millisecond)
		pprof.Lookup("goroutine").WriteTo(os.Stdout, 2)
	} else if f := lives[how]; f != nil {
		log.Print("service starts")
		f()
		log.Print("service goes on")
	}
}
