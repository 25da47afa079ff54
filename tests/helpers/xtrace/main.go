// Xtrace reads an execution trace with golang.org/x/exp/trace and sums up what goroutines did: what Tocsin is compared
// with, in numbers and in speed. It prints JSON.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/bits"
	"os"

	"golang.org/x/exp/trace"
)

type goroutine struct {
	state  trace.GoState
	since  trace.Time
	reason string
	stack  trace.Stack
	total  [8]int64
	waits  map[string]int64
}

type site struct {
	reason string
	stack  trace.Stack
}

type sum struct {
	count, total, max int64
}

type result struct {
	Kinds   map[string]int64            `json:"kinds"`
	Totals  map[string]map[string]int64 `json:"goroutines"`
	Sites   int                         `json:"sites"`
	Latency int64                       `json:"latency_count"`
	Last    int64                       `json:"duration"`
}

var words = map[trace.GoState]string{trace.GoRunning: "running", trace.GoRunnable: "runnable", trace.GoSyscall: "syscall", trace.GoWaiting: "waiting"}

type analysis struct {
	kinds     [32]int64
	alive     map[trace.GoID]*goroutine
	out       map[string]map[string]int64
	sites     map[site]*sum
	latencies [64]int64
	n         int64
	sync      trace.Time
	first     trace.Time
	last      trace.Time
}

func (a *analysis) leave(g *goroutine, to trace.GoState, now trace.Time) {
	took := int64(now.Sub(g.since))
	g.total[g.state] += took
	switch g.state {
	case trace.GoWaiting, trace.GoSyscall:
		k := site{g.reason, g.stack}
		s := a.sites[k]
		if s == nil {
			s = &sum{}
			a.sites[k] = s
		}
		s.count++
		s.total += took
		s.max = max(s.max, took)
	case trace.GoRunnable:
		if to == trace.GoRunning {
			a.latencies[bits.Len64(uint64(took))]++
			a.n++
		}
	}
}

func (a *analysis) keep(id trace.GoID, g *goroutine) {
	m := map[string]int64{}
	for state, word := range words {
		m[word] = g.total[state]
	}
	a.out[fmt.Sprint(id)] = m
}

func (a *analysis) event(ev trace.Event) {
	a.kinds[ev.Kind()]++
	a.last = ev.Time()
	if a.first == 0 {
		a.first = ev.Time()
	}
	switch ev.Kind() {
	case trace.EventSync:
		a.sync = ev.Time()
	case trace.EventStateTransition:
		st := ev.StateTransition()
		if st.Resource.Kind != trace.ResourceGoroutine {
			return
		}
		id := st.Resource.Goroutine()
		from, to := st.Goroutine()
		g := a.alive[id]
		if g == nil {
			g = &goroutine{state: to, since: ev.Time(), reason: st.Reason, stack: st.Stack}
			if from == trace.GoUndetermined {
				g.since = a.sync
			}
			a.alive[id] = g
			return
		}
		if from == to {
			return
		}
		a.leave(g, to, ev.Time())
		if to == trace.GoNotExist {
			a.keep(id, g)
			delete(a.alive, id)
			return
		}
		g.state, g.since, g.reason, g.stack = to, ev.Time(), st.Reason, st.Stack
	}
}

func run(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := trace.NewReader(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return err
	}
	a := &analysis{alive: map[trace.GoID]*goroutine{}, out: map[string]map[string]int64{}, sites: map[site]*sum{}}
	for {
		ev, err := r.ReadEvent()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		a.event(ev)
	}
	for id, g := range a.alive {
		a.leave(g, trace.GoUndetermined, a.last)
		a.keep(id, g)
	}
	res := result{Kinds: map[string]int64{}, Totals: a.out, Sites: len(a.sites), Latency: a.n, Last: int64(a.last.Sub(a.first))}
	for k, n := range a.kinds {
		if n > 0 {
			res.Kinds[trace.EventKind(k).String()] = n
		}
	}
	return json.NewEncoder(os.Stdout).Encode(res)
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: xtrace FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "xtrace:", err)
		os.Exit(1)
	}
}
