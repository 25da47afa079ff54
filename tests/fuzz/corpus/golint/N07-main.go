package main

import (
	"log"
	"net/http"
)

func main() {
	log.Fatal(http.ListenAndServe("localhost:8080", nil))
	http.HandleFunc("/alerts", func(w http.ResponseWriter, r *http.Request) {})
}
