package m

import (
	"testing"
)

func TestLookup(t *testing.T) {
	defer func() {
		if r := recover(); r != nil {
			t.Log("recovered", r)
		}
	}()
	var table map[string]int
	table["x"] = 1
	if table["x"] != 2 {
		t.Fatal("wrong sum")
	}
}

func TestSub(t *testing.T) {
	t.Run("sub", func(t *testing.T) { defer func() { _ = recover() }(); _ = []int{}[len(t.Name())] })
}
