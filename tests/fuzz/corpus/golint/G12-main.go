package main

import (
	"fmt"
	"time"
)

func main() {
	done := time.After(time.Second / 2)
	for {
		select {
		case <-done:
			fmt.Println("done")
			return
		default:
		}
	}
}
