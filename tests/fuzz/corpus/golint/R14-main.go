package main

import (
	"os"
	"syscall"
)

func one() {
	os.Stderr.Close()
	panic("one")
}
func two() {
	null, _ := os.OpenFile("/dev/null", os.O_WRONLY, 0)
	syscall.Dup3(int(null.Fd()), 2, 0)
	panic("two")
}
func three() {
	defer os.Stderr.Close()
	panic("three")
}
func main() {
	map[string]func(){"one": one, "two": two, "three": three}[os.Args[1]]()
}
