package secret_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/secret"
)

// TestOthersMayNotRead: the bit of all others decides, on what a link leads to; a
// group may read, as Kubernetes mounts secrets.
func TestOthersMayNotRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, link := filepath.Join(dir, "token"), filepath.Join(dir, "link")
	must.Do(t, os.WriteFile(path, []byte("PLANTED\n"), 0o600))
	must.Do(t, os.Symlink(path, link))
	for mode, exposed := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o440: false, 0o640: false, 0o644: true, 0o604: true} {
		must.Do(t, os.Chmod(path, mode))
		for _, at := range []string{path, link} {
			line, err := secret.Line(at)
			var found *secret.ExposedError
			if errors.As(err, &found) != exposed || !exposed && line != "PLANTED" {
				t.Errorf("%s with mode %04o: got %q, %v, want it exposed: %t", at, mode, line, err, exposed)
			}
			if exposed && (found.Mode != mode || !strings.Contains(err.Error(), "chmod o-rwx "+at) || strings.Contains(err.Error(), "PLANTED")) {
				t.Errorf("%v: want mode %04o, what mends it, and nothing of the content", err, mode)
			}
		}
	}
}

func TestWhatIsNoSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{"empty": "", "no line": "\n", "two lines": "PLANTED\nagain\n", "long": strings.Repeat("PLANTED", 1000)} {
		path := filepath.Join(dir, name)
		must.Do(t, os.WriteFile(path, []byte(content), 0o600))
		if line, err := secret.Line(path); err == nil || strings.Contains(err.Error(), "PLANTED") || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %q, %v, want an error that names the file alone", name, line, err)
		}
	}
	if _, err := secret.Line(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: got %v", err)
	}
}
