package stock

import "testing"

func receive(w *Warehouse, deliveries ...Delivery) {
	in := make(chan Delivery)
	done := w.Receive(in)
	for _, d := range deliveries {
		in <- d
	}
	close(in)
	<-done
}

func TestReceive(t *testing.T) {
	w := New("tea", "cup")
	receive(w, Delivery{"tea", 20}, Delivery{"cup", 5}, Delivery{"tea", 10})
	if got := w.Count("tea"); got != 30 {
		t.Errorf("Count(tea) = %d, want 30", got)
	}
}

func TestReceiveNewProduct(t *testing.T) {
	w := New("tea")
	receive(w, Delivery{"honey", 12})
	if got := w.Count("honey"); got != 12 {
		t.Errorf("Count(honey) = %d, want 12", got)
	}
}
