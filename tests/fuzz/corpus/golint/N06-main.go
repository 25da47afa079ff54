package main

import (
	"errors"
	"log"
	"os"
)

func notify(err error) { log.Println("alert:", err) }

func main() {
	err := errors.New("lost the database")
	if len(os.Args) > 1 {
		go notify(err)
		log.Print(err)
		os.Exit(1)
	}
	go func() {
		notify(err)
	}()
	log.Fatal(err)
}
