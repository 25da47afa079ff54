package main

import (
	"io"
	"log"
	"os"
)

func main() {
	log.SetOutput(io.Discard)
	defer func() { log.Print("recovered: ", recover()) }()
	os.Args[9] = "out of range"
}
