package main

import (
	"fmt"
	"net"
	"net/http"
	"time"
)

func handle(w http.ResponseWriter, r *http.Request) {
	go func() { fmt.Println(r.TransferEncoding[3]) }()
	go audit(r)
}
func audit(r *http.Request) { time.Sleep(time.Minute) }
func main() {
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	go http.Serve(l, http.HandlerFunc(handle))
	http.Get("http://" + l.Addr().String())
	time.Sleep(time.Second)
}
