package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	c := make(chan os.Signal, 1)
	signal.Notify(c)
	syscall.Kill(os.Getpid(), syscall.SIGQUIT)
	time.Sleep(time.Second / 5)
}
