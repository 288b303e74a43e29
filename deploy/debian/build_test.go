package debian_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
)

// packed packs a bundle that has the shipped units, and nothing else that runs.
func packed(t *testing.T, version, epoch string) string {
	t.Helper()
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("no dpkg-deb: this is no Debian")
	}
	dir := t.TempDir()
	bundle := filepath.Join(dir, "bundle")
	must.Do(t, os.CopyFS(filepath.Join(bundle, "systemd"), os.DirFS(filepath.Join("..", "systemd"))))
	for _, path := range must.Get(filepath.Glob(filepath.Join(bundle, "systemd", "*.go")))(t) {
		must.Do(t, os.Remove(path)) // as the Makefile does
	}
	out := filepath.Join(dir, "out.deb")
	cmd := exec.CommandContext(t.Context(), "sh", "build", bundle, "amd64", version, out)
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH="+epoch)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build of %s: %v\n%s", version, err, said)
	}
	return out
}

// said is what a command prints.
func said(t *testing.T, name string, args ...string) string {
	t.Helper()
	return strings.TrimSpace(string(must.Get(exec.CommandContext(t.Context(), name, args...).Output())(t)))
}

// A commit that begins with a digit was taken for a version, and was newer than every release.
// Each version here is older than the one below it, by dpkg's own judgement.
func TestVersionsAreInOrder(t *testing.T) {
	t.Parallel()
	var before string
	for _, build := range []struct{ described, epoch, want string }{
		{"abcdef12", "1700000000", "0~1700000000.abcdef12"},
		{"633c73c9", "1700000001", "0~1700000001.633c73c9"},
		{"633c73c9-dirty", "1700000002", "0~1700000002.633c73c9-dirty"},
		{"7951648e", "1700000003", "0~1700000003.7951648e"},
		{"v0.1.0-rc.1", "1600000000", "0.1.0~rc.1"},
		{"v0.1.0-rc.1-4-g0123abc", "1600000000", "0.1.0~rc.1-4-g0123abc"},
		{"v0.1.0", "1600000000", "0.1.0"},
		{"v0.1.0-2-g9876543", "1600000000", "0.1.0-2-g9876543"},
		{"v0.1.1", "1600000000", "0.1.1"},
		{"v0.10.0", "1600000000", "0.10.0"},
	} {
		got := said(t, "dpkg-deb", "--field", packed(t, build.described, build.epoch), "Version")
		if got != build.want {
			t.Errorf("%s is packed as %s, want %s", build.described, got, build.want)
		}
		if before != "" && exec.CommandContext(t.Context(), "dpkg", "--compare-versions", before, "lt", got).Run() != nil {
			t.Errorf("dpkg takes %s for no older than %s", before, got)
		}
		before = got
	}
}

// A package holds every unit where systemd looks, and nobody but root reads its secrets. It stops
// every unit before the files of the units go.
func TestEveryUnitIsPackedAndStopped(t *testing.T) {
	t.Parallel()
	list := said(t, "dpkg-deb", "--contents", packed(t, "v0.1.0", "1600000000"))
	if !regexp.MustCompile(`(?m)^drwx------ root/root .* \./etc/mirrorfleet/secrets/$`).MatchString(list) {
		t.Errorf("the folder of secrets is not root's alone:\n%s", list)
	}
	stops := string(must.Get(os.ReadFile("prerm"))(t))
	paths := must.Get(filepath.Glob(filepath.Join("..", "systemd", "*.service")))(t)
	if len(paths) == 0 {
		t.Fatal("there are no units")
	}
	for _, path := range paths {
		name := filepath.Base(path)
		if !strings.Contains(list, "./lib/systemd/system/"+name+"\n") && !strings.HasSuffix(list, "./lib/systemd/system/"+name) {
			t.Errorf("the package has no %s:\n%s", name, list)
		}
		if !strings.Contains(stops, strings.Replace(name, "@.", "@*.", 1)) {
			t.Errorf("prerm does not stop %s", name)
		}
	}
}
