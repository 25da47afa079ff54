package main

import "time"

func main() {
	go func() {
		var p *int
		*p = 1
	}()
	time.Sleep(time.Second)
}
