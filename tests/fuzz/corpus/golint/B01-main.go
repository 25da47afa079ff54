package main

import (
	_ "embed"
	"fmt"
)

// go:embed motto.txt
var motto string

func main() {
	fmt.Printf("%d %t\n", len(motto), built)
}
