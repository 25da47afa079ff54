package main

import "log"

func main() {
	go func() {
		if r := recover(); r != nil {
			log.Print(r)
		}
	}()
	go recover()
	func() {
		recover()
	}()
	handlePanic()
	log.Print(recover())
	panic("seen by nobody")
}
