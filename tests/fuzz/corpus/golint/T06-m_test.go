package m

import "testing"

var cases = []struct{ name, in, want string }{{"wrong", "a", "b"}, {"right", "b", "b"}}

func TestCases(t *testing.T) {
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if tc.in != tc.want {
				t.Fatal(tc.in)
			}
		})
	}
}

func TestCount(t *testing.T) {
	for i := 0; i < len(cases); i++ {
		t.Run(cases[i].name, func(t *testing.T) { t.Parallel(); _ = cases[i%2] })
	}
}
