package main

import (
	"fmt"
	"os"
)

func main() {
	for i := 0; i < 3; i++ {
		f, err := os.Open("/dev/null")
		if err != nil {
			continue
		}
		defer func() { f.Close(); fmt.Println("closed", i) }()
		fmt.Println("used", i)
	}
	fmt.Println("end of the loop")
}
