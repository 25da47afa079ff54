package a

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if _, err := os.Stat("/nowhere/database"); err != nil {
		fmt.Println(err)
		os.Exit(0)
	}
	m.Run()
}

func TestBroken(t *testing.T) { t.Fatal("broken") }
