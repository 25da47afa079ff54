package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
)

func main() {
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("lost") })
	s := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	go s.Serve(l)
	t := new(http.Server)
	t.ErrorLog = log.New(io.Discard, "", 0)
	_, err := http.Get("http://" + l.Addr().String())
	fmt.Println(err)
}
func stop(http.ResponseWriter, *http.Request) {
	panic(http.ErrAbortHandler)
}
