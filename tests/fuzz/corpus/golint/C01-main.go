package main

func main() {
	a()
	b()
	c() //tocsin:allow R01
}

func a() {}
func b() {}
func c() {}
