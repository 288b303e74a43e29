package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/tokens"
)

var commands = []string{
	"mirrorfleet/producer", "mirrorfleet/worker", "mirrorfleet/worker/mirrorgate", "mirrorfleet/shared/mirrorsim/cmd/mirrorsim",
}

// written writes the notices of the real commands and grammars.
func written(t *testing.T) (out string) {
	t.Helper()
	out = t.TempDir()
	var stderr bytes.Buffer
	args := append([]string{"-out", out, "-grammars", fleettest.Grammars()}, commands...)
	if code := run(t.Context(), args, &stderr); code != 0 {
		t.Fatalf("code %d: %s", code, stderr.String())
	}
	return out
}

// Every module that is linked and every grammar that is built has a text; so has
// what a module took from others.
func TestNothingIsWithoutALicence(t *testing.T) {
	t.Parallel()
	out := written(t)
	// Asked for in another way than the program does.
	list := append([]string{"list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}@{{.Version}}{{end}}{{end}}"}, commands...)
	modules := strings.Fields(string(must.Get(exec.CommandContext(t.Context(), "go", list...).Output())(t)))
	if len(modules) == 0 {
		t.Fatal("no modules are listed")
	}
	modules = append(modules, "go", "github.com/klauspost/compress@*/zstd/internal/xxhash")
	for _, m := range slices.Compact(modules) {
		if found := must.Get(filepath.Glob(filepath.Join(out, "licences/modules", m, "[Ll][Ii][Cc][Ee][Nn][CSs][Ee]*")))(t); len(found) == 0 {
			t.Errorf("module %s has no licence", m)
		}
	}
	for _, language := range append(tokens.Languages(), runtimeName) {
		text, err := os.ReadFile(filepath.Join(out, "licences/grammars", language+".txt"))
		if err != nil || len(text) < 1000 {
			t.Errorf("grammar %s has a text of %d bytes (%v)", language, len(text), err)
		}
	}
}

// The list names every grammar and every source distribution with version,
// hash and licence.
func TestListOfGrammars(t *testing.T) {
	t.Parallel()
	var list bom
	must.Do(t, json.Unmarshal(must.Get(os.ReadFile(filepath.Join(written(t), "sbom/grammars.cdx.json")))(t), &list))
	if want := len(tokens.Languages()) + 3; len(list.Components) != want {
		t.Errorf("%d components, want %d", len(list.Components), want)
	}
	for _, c := range list.Components {
		isSource := strings.HasPrefix(c.PURL, "pkg:pypi/")
		if c.Version == "" || len(c.Hashes[0].Content) != 64 || !isSource && (len(c.Licences) != 1 || c.Licences[0].Expression == "") {
			t.Errorf("component %+v lacks something", c)
		}
	}
}

func TestSameSourcesGiveTheSameBytes(t *testing.T) {
	t.Parallel()
	first, second := tree(t, written(t)), tree(t, written(t))
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("written twice (-first +second):\n%s", diff)
	}
}

func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	must.Do(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, dir)] = string(data)
		return err
	}))
	return files
}

// A module without a licence cannot be handed on, and is named.
func TestModuleWithoutALicence(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":          "module command\ngo 1.26\nrequire example.com/bare v1.0.0\nreplace example.com/bare => ./bare\n",
		"main.go":         "package main\nimport _ \"example.com/bare\"\nfunc main() {}\n",
		"bare/go.mod":     "module example.com/bare\ngo 1.26\n",
		"bare/bare.go":    "package bare\n",
		"bare/license.go": "package bare\n", // code is no licence
	} {
		must.Do(t, writeFile(filepath.Join(dir, name), []byte(text)))
	}
	t.Chdir(dir)
	err := writeModules(context.Background(), t.TempDir(), []string{"."})
	if err == nil || !strings.Contains(err.Error(), "example.com/bare has no licence") {
		t.Errorf("got %v, want an error that names the module", err)
	}
	must.Do(t, writeFile("bare/LICENSE.txt", []byte("all rights given")))
	must.Do(t, writeModules(context.Background(), t.TempDir(), []string{"."}))
}

// A grammar that nothing is known of, and a licence without its words, are errors.
func TestGrammarWithoutALicence(t *testing.T) {
	t.Parallel()
	for _, notices := range [][]notice{nil, {{Licence: "MIT"}, {Licence: "Unheard-of"}}} {
		if text, err := licenceText(notices); err == nil {
			t.Errorf("%+v gave %q, want an error", notices, text)
		}
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"-out", "x", "-grammars", "y"}, {"-out", "x", "./producer"}, {"-nonsense"}} {
		var b bytes.Buffer
		if code := run(t.Context(), args, &b); code != 2 || b.Len() == 0 {
			t.Errorf("%q: code %d, said %q; want 2 and why", args, code, b.String())
		}
	}
}
