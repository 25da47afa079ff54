package store

import "log"

func Open(path string) {
	if path == "" {
		log.Fatal("no path")
	}
}
