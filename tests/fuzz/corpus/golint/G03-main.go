package main

import (
	"fmt"
	"regexp"
	"time"
)

func main() {
	defer func() { fmt.Println("caught", recover()) }()
	watch("(")
	time.Sleep(time.Second)
}

func watch(pattern string) {
	time.AfterFunc(time.Millisecond, func() {
		fmt.Println(regexp.MustCompile(pattern))
	})
}
