package secret_test

import (
	"errors"
	"fmt"
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

// A file of this process's own user that its group can read is named with its mode and
// what closes it, on what a link leads to; one of another user is read by the group alone.
func TestWhatAGroupCanReadIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, link := filepath.Join(dir, "token"), filepath.Join(dir, "link")
	must.Do(t, os.WriteFile(path, []byte("PLANTED\n"), 0o600))
	must.Do(t, os.Symlink(path, link))
	for mode, loose := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o620: false, 0o440: true, 0o640: true} {
		must.Do(t, os.Chmod(path, mode))
		for _, at := range []string{path, link} {
			want := ""
			if loose {
				want = fmt.Sprintf("%s holds a secret, and its group can read it (mode %04o): chmod 600 %s", at, mode, at)
			}
			if got := secret.Loose(at); got != want {
				t.Errorf("mode %04o: got %q, want %q", mode, got, want)
			}
		}
	}
	if got := secret.Loose(filepath.Join(dir, "none")); got != "" {
		t.Errorf("no file: got %q", got)
	}
	if os.Geteuid() != 0 {
		return // a file cannot be given away
	}
	must.Do(t, os.Chown(path, 65534, -1))
	if got := secret.Loose(path); got != "" {
		t.Errorf("a file of another user: got %q, want nothing", got)
	}
}
