package main

import (
	"fmt"
	"sync"
)

func main() {
	var wg sync.WaitGroup
	for _, v := range []int{1, 2, 3} {
		wg.Add(1)
		go func() {
			fmt.Println("go", v)
			wg.Done()
		}()
		defer func() {
			fmt.Println("defer", v)
		}()
	}
	wg.Wait()
}
