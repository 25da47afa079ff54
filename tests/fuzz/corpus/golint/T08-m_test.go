package m

import "testing"

func TestFlaky(t *testing.T) {
	t.Skip("flaky")
	t.Fatal("broken")
}

// See https://example.com/issues/7.
func TestKnown(t *testing.T) {
	t.SkipNow()
}
