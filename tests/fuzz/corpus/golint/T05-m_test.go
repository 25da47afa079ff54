package m

import "testing"

func TestWorker(t *testing.T) {
	result := make(chan int, 1)
	done := make(chan bool)
	go func() {
		defer close(done)
		t.Fatal("broken")
		result <- 1
	}()
	<-done
	t.Log("the test goes on")
}

func BenchmarkWorker(b *testing.B) {
	done := make(chan bool)
	go func() { defer close(done); func() { b.SkipNow() }() }()
	<-done
}
