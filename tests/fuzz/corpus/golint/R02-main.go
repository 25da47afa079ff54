package main

import "fmt"

func named() {
	defer func() { report() }()
	panic("named")
}
func nested() {
	defer func() { func() { fmt.Println(recover()) }() }()
	panic("nested")
}
func twice() {
	defer func() {
		defer func() {
			fmt.Println(recover())
		}()
	}()
	panic("twice")
}
func helper() { defer func() { report() }() }

type worker struct{ name string }

func (w *worker) caught() {
	fmt.Println(w.name, recover())
}
func (w *worker) run() {
	defer func() {
		w.name += "!"
		w.caught()
	}()
	panic("method")
}
func main() {
	map[string]func(){"named": named, "nested": nested, "twice": twice, "method": (&worker{}).run}[which]()
}
