package main

import "fmt"

type kind int

func (k kind) String() string {
	switch k {
	case 0:
		return "none"
	case 1:
		return "some"
	}
	panic("no such kind")
}
func main() {
	fmt.Println(kind(7))
	fmt.Println("it goes on")
}
