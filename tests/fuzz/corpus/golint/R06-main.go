package main

import (
	"fmt"
	"log"
	"os"
)

func one(p *int) {
	log.SetFlags(0)
	defer func() {
		if r := recover(); r != nil {
			log.Printf("recovered: %v", r)
		}
	}()
	*p = 1
}

func caught() {
	if e := recover(); e != nil {
		fmt.Fprintln(os.Stderr, "recovered:", e)
	}
}

func two(p *int) {
	defer caught()
	*p = 1
}

func main() {
	one(nil)
	two(nil)
}
