package main

import "fmt"

func work(in, more chan int) {
	for {
		select {
		case x := <-in:
			fmt.Println(x)
		case x := <-more:
			fmt.Println(x)
		}
	}
}
func main() {
	in, more := make(chan int), make(chan int)
	go work(in, more)
	in <- 1
}
