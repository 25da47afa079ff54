package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
)

func main() {
	a := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	var b tls.Config
	b.ServerName = "alerts"
	b.InsecureSkipVerify = true
	fmt.Println(a, b.ServerName)
}
