package main

import "log"

func main() {
	defer recover()
	defer log.Print(recover())
	defer log.Print("lost: ", []any{recover()})
	panic("lost")
}
