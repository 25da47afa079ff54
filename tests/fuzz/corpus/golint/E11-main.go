package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	start := time.Now()
	defer record(time.Since(start))
	load()
}

func load() (err error) {
	defer fmt.Println("load:", err)
	_, err = os.ReadFile("/nowhere/x")
	time.Sleep(50 * time.Millisecond)
	return err
}

func record(d time.Duration) { fmt.Println("long:", d > 50*time.Millisecond) }
