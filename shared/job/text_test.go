package job_test

import (
	"strings"
	"testing"

	"mirrorfleet/shared/job"
)

// A reason is one line of so many characters, not bytes. What is wrong with another is said.
func TestCheckOrderText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                          "",
		"NATS is moved, 14:00":      "",
		strings.Repeat("é", 200):    "",
		strings.Repeat("é", 201):    "201 characters",
		"two\nlines":                "character 4",
		"\x1b[2J":                   "character 1",
		"a direction \u202e turned": "character 13",
		"not UTF-8: \xff":           "in UTF-8",
	} {
		err := job.CheckOrderText(text)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
