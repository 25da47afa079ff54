package main

import (
	"fmt"
	"runtime"
)

func inner(s []int) {
	defer func() {
		if r := recover(); r != nil {
			panic(fmt.Sprint("inner: ", r))
		}
	}()
	s[3] = 1
}
func main() {
	defer func() {
		_, ok := recover().(runtime.Error)
		fmt.Println("a runtime error:", ok)
	}()
	inner(nil)
}
