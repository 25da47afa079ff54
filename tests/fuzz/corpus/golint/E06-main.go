package main

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"net/http"
	"os"
	"os/exec"
)

func main() {
	cmd := exec.Command("sh", "-c", "exit 3")
	cmd.Run()
	exec.Command("sh", "-c", "exit 4").Run()
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		panic(err)
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "lost")
	w.Flush()
	fmt.Println("all is well")
	s := &http.Server{Addr: "127.0.0.1:-1"}
	zip := gzip.NewWriter(f)
	defer zip.Close()
	if err := s.ListenAndServe(); err != nil {
		fmt.Println(err)
	}
}
