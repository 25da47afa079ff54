package main

import (
	"fmt"
	"net/http"
	"time"
)

func main() {
	resp, err := http.Get("http://127.0.0.1:1/")
	defer resp.Body.Close()
	if err != nil {
		fmt.Println(err)
	}
}

func ping() bool {
	client := &http.Client{Timeout: time.Second}
	resp, err := client.Get("http://127.0.0.1:1/")
	return err == nil && resp.StatusCode == 200
}
