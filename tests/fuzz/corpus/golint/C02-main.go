package main

func main() {
	defer recover() //tocsin:allow R91 a worker may end in silence
}
