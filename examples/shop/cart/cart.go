// Package cart holds what a customer is about to buy.
package cart

import (
	"errors"
	"sort"

	"example.com/shop/pricing"
)

// ErrCount is returned for a line with no pieces.
var ErrCount = errors.New("cart: count must be at least 1")

// Line is one product in the cart.
type Line struct {
	SKU   string
	Price pricing.Money
	Count int
}

// Cart is the lines by SKU. The zero value is an empty cart.
type Cart struct {
	lines map[string]Line
}

// Add puts count pieces of a product into the cart, on top of those already there.
func (c *Cart) Add(sku string, price pricing.Money, count int) error {
	if count < 1 {
		return ErrCount
	}
	if c.lines == nil {
		c.lines = make(map[string]Line)
	}
	line := c.lines[sku]
	c.lines[sku] = Line{SKU: sku, Price: price, Count: line.Count + count}
	return nil
}

// Lines lists the cart, ordered by SKU.
func (c *Cart) Lines() []Line {
	lines := make([]Line, 0, len(c.lines))
	for _, line := range c.lines {
		lines = append(lines, line)
	}
	sort.Slice(lines, func(i, j int) bool { return lines[i].SKU < lines[j].SKU })
	return lines
}

// Total is the sum of all lines.
func (c *Cart) Total() pricing.Money {
	var sum pricing.Money
	for _, line := range c.lines {
		sum += line.Price * pricing.Money(line.Count)
	}
	return sum
}
