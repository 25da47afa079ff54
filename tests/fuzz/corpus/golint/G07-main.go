package main

import (
	"os"

	"golang.org/x/sync/errgroup"
)

func main() {
	var g errgroup.Group
	g.Go(func() error { return os.Chdir("missing") })
	g.Wait()
	println("all is well")
}
