package a

import "testing"

func Testsum(t *testing.T) { t.Fatal("broken") }

func TestFine(t *testing.T) {}
