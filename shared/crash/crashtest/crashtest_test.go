package crashtest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/crash/crashtest"
	"mirrorfleet/shared/must"
)

func TestMarksAreReadFromTheSources(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		must.Do(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("a.go", "package a\nfunc f() { crash.At(crash.B); if x { crash.At(crash.A) }; crash.At(crash.B); other.At(crash.C) }")
	write("a_test.go", "package a\nfunc g() { crash.At(crash.D) }")
	got, err := crashtest.Marks(dir)
	if diff := cmp.Diff([]string{"A", "B"}, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	write("b.go", `package a; func h() { crash.At("text") }`)
	if _, err := crashtest.Marks(dir); err == nil {
		t.Error("a mark without a constant is no error")
	}
}
