package main

import (
	"net/http"
	"strings"
)

func main() {
	if _, err := http.Post("http://alerts.shop.io/api/new", "text/plain", strings.NewReader("down")); err != nil {
		panic(err)
	}
	client := http.Client{}
	req, err := http.NewRequest("GET", "http://8.8.4.4/status", nil)
	if err == nil {
		client.Do(req)
	}
}
