package main

import (
	"fmt"
	"runtime/debug"
	"sync"
)

var mu sync.Mutex

func handle(f func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v\n%s", r, debug.Stack())
		}
	}()
	mu.Lock()
	n := len("abc")
	f()
	mu.Unlock()
	_ = n
	return nil
}
func main() {
	fmt.Println(handle(func() { panic("first") }) != nil)
	fmt.Println(handle(func() {}))
}
