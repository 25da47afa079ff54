package cart

import (
	"errors"
	"testing"

	"example.com/shop/pricing"
)

func TestAdd(t *testing.T) {
	var c Cart
	for _, count := range []int{1, 2} {
		if err := c.Add("tea", 450, count); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Add("cup", 1290, 1); err != nil {
		t.Fatal(err)
	}
	lines := c.Lines()
	if len(lines) != 2 || lines[0].SKU != "cup" || lines[1].Count != 3 {
		t.Errorf("Lines() = %v", lines)
	}
}

func TestAddNothing(t *testing.T) {
	var c Cart
	if err := c.Add("tea", 450, 0); !errors.Is(err, ErrCount) {
		t.Errorf("Add of 0 pieces: %v, want %v", err, ErrCount)
	}
}

func TestTotal(t *testing.T) {
	var c Cart
	_ = c.Add("tea", 450, 3)
	_ = c.Add("cup", 1290, 1)
	if got, want := c.Total(), pricing.Money(2640); got != want {
		t.Errorf("Total() = %v, want %v", got, want)
	}
}
