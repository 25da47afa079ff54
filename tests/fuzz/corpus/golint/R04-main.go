package main

import "fmt"

func one(m map[string]int) {
	defer func() { recover() }()
	m["a"] = 1
	fmt.Println("done")
}

func two(p *int) {
	fmt.Println("begin")
	defer func() {
		if r := recover(); r != nil {
			// cannot happen
		}
	}()
	*p = 1
	fmt.Println("done")
}

func three() {
	_ = recover()
}

func four(a []int) (ok bool) {
	defer three()
	return a[4] > 0
}

func probe(x any) (ok bool) {
	defer func() { _ = recover() }()
	_ = x.(fmt.Stringer)
	return true
}
func five(s []int) {
	defer func() { r := recover(); _ = r }()
	s[0] = 1
	s[1] = 2
}
func main() {
	one(nil)
	two(nil)
	four(nil)
	probe(nil)
	five(nil)
}
