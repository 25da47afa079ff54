package pricing

import "testing"

func TestDiscount(t *testing.T) {
	for _, c := range []struct {
		name    string
		price   Money
		percent int
		want    Money
	}{
		{"none", 1990, 0, 1990},
		{"half", 1990, 50, 995},
		{"all", 1990, 100, 0},
		{"rounds down", 1999, 15, 1699},
		{"rounds up", 1995, 15, 1696},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Discount(c.price, c.percent); got != c.want {
				t.Errorf("Discount(%v, %d%%) = %v, want %v", c.price, c.percent, got, c.want)
			}
		})
	}
}

func TestTax(t *testing.T) {
	if got, want := Tax(1995, 190), Money(379); got != want {
		t.Errorf("Tax(19.95, 19%%) = %v, want %v", got, want)
	}
}

func TestMoneyString(t *testing.T) {
	for m, want := range map[Money]string{0: "0.00", 5: "0.05", 1234: "12.34", -250: "-2.50"} {
		if got := m.String(); got != want {
			t.Errorf("Money(%d).String() = %q, want %q", int64(m), got, want)
		}
	}
}
