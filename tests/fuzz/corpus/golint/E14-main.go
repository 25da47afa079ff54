package main

import (
	"fmt"
	"os"
)

func load(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return b, nil
	}
	return b, nil
}

func main() {
	_, err := load("/nowhere/x")
	fmt.Println("loaded:", err)
}
