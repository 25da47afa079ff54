package m

import (
	"strconv"
	"testing"
)

func TestParse(t *testing.T) {
	n, err := strconv.Atoi("12x")
	if err != nil {
		t.Log(err)
		return
	}
	if n != 12 {
		t.Fatal(n)
	}
}

func TestSub(t *testing.T) {
	t.Run("sub", func(t *testing.T) { if _, err := strconv.Atoi("x"); err != nil { return } })
}
