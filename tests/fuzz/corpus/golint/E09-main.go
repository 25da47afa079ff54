package main

import (
	"bufio"
	"fmt"
	"os"
)

func main() {
	lines := 0
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		lines++
	}
	fmt.Println(lines, "lines")
}
