// Package stock counts what lies in the warehouse.
package stock

import "sync"

// Delivery is a number of pieces of one product that arrived.
type Delivery struct {
	SKU   string
	Count int
}

type shelf struct {
	count int
}

// Warehouse is safe for use by several goroutines.
type Warehouse struct {
	mu      sync.Mutex
	shelves map[string]*shelf
}

// New returns a warehouse with an empty shelf for each product.
func New(skus ...string) *Warehouse {
	w := &Warehouse{shelves: make(map[string]*shelf)}
	for _, sku := range skus {
		w.shelves[sku] = new(shelf)
	}
	return w
}

// Count says how many pieces of a product there are.
func (w *Warehouse) Count(sku string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.shelves[sku]; s != nil {
		return s.count
	}
	return 0
}

// Receive books deliveries in the background until the channel is closed; the channel it returns is
// closed when all of them are booked.
func (w *Warehouse) Receive(deliveries <-chan Delivery) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		for d := range deliveries {
			w.book(d)
		}
		close(done)
	}()
	return done
}

func (w *Warehouse) book(d Delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shelves[d.SKU].count += d.Count
}
