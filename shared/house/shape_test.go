package house_test

import (
	"strings"
	"testing"
)

// maxLines is how long a file may be that is read in one sitting. Tests are read, too.
const maxLines = 400

func TestFilesAreReadInOneSitting(t *testing.T) {
	t.Parallel()
	texts(t, func(path, text string) {
		if n := strings.Count(text, "\n"); n > maxLines {
			t.Errorf("%s has %d lines, want at most %d: split it by theme", path, n, maxLines)
		}
	}, ".go")
}
