package a

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	code := 0
	defer func() { os.Exit(code) }()
	var table map[string]int
	table["setup"] = 1
	code = m.Run()
}

func TestFine(t *testing.T) { t.Fatal("not reached") }
