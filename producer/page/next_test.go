package page_test

import (
	"strings"
	"testing"

	"mirrorfleet/producer/page"
)

// What resumes a round can be typed as it stands: the command as it was given, with the
// round in the place of another that it named.
func TestResumingCanBeTyped(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"bin/producer run --local":                       "bin/producer run --local --resume r1",
		"bin/producer run --resume latest --local":       "bin/producer run --local --resume r1",
		"bin/producer run --resume=r0 --state it's here": `bin/producer run --state 'it'\''s' here --resume r1`,
	} {
		if got := page.Resuming(strings.Split(given, " "), "r1"); got != want {
			t.Errorf("%s: got %s, want %s", given, got, want)
		}
	}
}
