package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	c := make(chan os.Signal)
	signal.Notify(c, syscall.SIGTERM)
	syscall.Kill(os.Getpid(), syscall.SIGTERM)
	time.Sleep(time.Second / 5)
	select {
	case <-c:
		fmt.Println("told to end")
	case <-time.After(time.Second / 5):
		fmt.Println("lost")
	}
}
