package main

import (
	"fmt"
	"net"
	"net/http"
	"time"
)

func main() {
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	srv := &http.Server{Addr: l.Addr().String()}
	go srv.ListenAndServe()
	go func() { http.ListenAndServe(srv.Addr, nil) }()
	time.Sleep(time.Second / 10)
	fmt.Println("serving")
}
