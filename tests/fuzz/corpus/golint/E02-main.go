package main

import (
	"bufio"
	"log"
	"os"
)

func main() {
	w := bufio.NewWriter(os.Stdout)
	defer w.Flush()
	w.WriteString("report\n")
	if len(os.Args) < 2 {
		// the report is lost
		log.Fatal("no arguments")
	}
}
