package main

import "os"

func main() {
	if len(os.Args) > 2 {
		os.Exit(-1)
	} else if len(os.Args) > 1 {
		os.Exit(300)
	}
	os.Exit(0x1_00)
}
