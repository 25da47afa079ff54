package main

import (
	"fmt"
	"runtime"
	"sync"
)

func main() {
	runtime.GOMAXPROCS(1)
	var wg sync.WaitGroup
	for i := 0; i < 3; i++ {
		go func(i int) {
			wg.Add(1)
			defer wg.Done()
			fmt.Println("worked", i)
		}(i)
	}
	wg.Wait()
}
