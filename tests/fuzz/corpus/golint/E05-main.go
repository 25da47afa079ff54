package main

import (
	"fmt"
	"strconv"
)

func main() {
	n, err := strconv.Atoi("12x")
	if err != nil {
	}
	if err != nil { _ = err }
	fmt.Println(n)
}
