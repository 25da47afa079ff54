package m

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	_ = m
	os.Setenv("TZ", "UTC")
}

func TestBroken(t *testing.T) { t.Fatal("broken") }
