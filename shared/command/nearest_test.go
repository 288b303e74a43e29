package command_test

import (
	"strings"
	"testing"

	"mirrorfleet/shared/command"
)

// A name that is not there is answered with those that may have been meant.
func TestNear(t *testing.T) {
	t.Parallel()
	names := []string{"acme/widgets", "acme/rocket", "other/widget-kit", "far/away", "Acme/Widget"}
	for name, want := range map[string]string{
		"acme/widget": "Acme/Widget acme/widgets other/widget-kit", "ACME/ROCKETS": "acme/rocket acme/widgets", "widgets": "acme/widgets",
		"nothing/like-it": "", "": "", "acme/widgexs": "acme/widgets Acme/Widget",
	} {
		if got := strings.Join(command.Near(name, names), " "); got != want {
			t.Errorf("near %q: %s, want %s", name, got, want)
		}
	}
}
