package main

import "fmt"

func parse(s []string) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	fmt.Println(s[3])
	fmt.Println("parsed")
	return true
}

func count(s []string) (n int) {
	defer func() {
		if r := recover(); r != nil {
			n = -1
		}
	}()
	return len(s[3])
}
func main() { fmt.Println(parse(nil), count(nil)) }
