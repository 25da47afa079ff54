package main

import (
	"log"
	"os"
)

func one() {
	code := 0
	defer func() { os.Exit(code) }()
	work(nil)
	code = 1
}

func two() {
	defer os.Exit(0)
	work(nil)
}
func three() {
	defer log.Fatal("stopped")
	work(nil)
}

func work(p *int) { *p = 1 }

func main() {
	map[string]func(){"one": one, "two": two, "three": three}[os.Args[1]]()
}
