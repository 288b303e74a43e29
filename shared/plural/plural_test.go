package plural_test

import (
	"testing"

	"mirrorfleet/shared/plural"
)

func TestForms(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0 children", 1: "1 child", 2: "2 children"} {
		if got := plural.Forms(n, "child", "children"); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0 dead letters are", 1: "1 dead letter is", 2: "2 dead letters are", 21: "21 dead letters are"} {
		if got := plural.Of(n, "dead letter") + " " + plural.Are(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}
