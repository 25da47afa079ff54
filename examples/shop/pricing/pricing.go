// Package pricing does the shop's arithmetic with money.
package pricing

import "fmt"

// Money is an amount in cents.
type Money int64

// String writes the amount as people do: 1234 is "12.34".
func (m Money) String() string {
	sign := ""
	if m < 0 {
		sign, m = "-", -m
	}
	return fmt.Sprintf("%s%d.%02d", sign, m/100, m%100)
}

// Discount takes percent off the price and rounds half up to a whole cent.
func Discount(price Money, percent int) Money {
	return price * Money(100-percent) / 100
}

// Tax is the tax on a net amount, at a rate in tenths of a percent, rounded half up.
func Tax(net Money, perMille int) Money {
	return (net*Money(perMille) + 500) / 1000
}
