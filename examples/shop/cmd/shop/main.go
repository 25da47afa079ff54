// Command shop prints a bill.
package main

import (
	"fmt"
	"os"

	"example.com/shop/cart"
	"example.com/shop/pricing"
)

func main() {
	var c cart.Cart
	for _, line := range []cart.Line{{SKU: "tea", Price: 450, Count: 3}, {SKU: "cup", Price: 1290, Count: 1}} {
		if err := c.Add(line.SKU, line.Price, line.Count); err != nil {
			fmt.Fprintln(os.Stderr, "shop:", err)
			os.Exit(1)
		}
	}
	for _, line := range c.Lines() {
		fmt.Printf("%3d x %-10s %8v\n", line.Count, line.SKU, line.Price)
	}
	net := pricing.Discount(c.Total(), 10)
	tax := pricing.Tax(net, 190)
	fmt.Printf("    %-12s %8v\n    %-12s %8v\n    %-12s %8v\n", "less 10%", net, "tax 19%", tax, "to pay", net+tax)
}
