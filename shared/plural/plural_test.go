package plural_test

import (
	"strings"
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

func TestSome(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]string{"": "", "a": "a", "a b": "a, b", "a b c": "a, b and 1 more", "a b c d": "a, b and 2 more"} {
		if got := plural.Some(strings.Fields(list), 2); got != want {
			t.Errorf("%q: got %q, want %q", list, got, want)
		}
	}
	if got := plural.Some([]int{7, 12, 30}, 2); got != "7, 12 and 1 more" {
		t.Errorf("numbers: got %q", got)
	}
}
