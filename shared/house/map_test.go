package house_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
)

var update = flag.Bool("update", false, "write the table of packages anew")

// architecture is the page that holds the map.
var architecture = filepath.Join("..", "..", "docs", "architecture.md")

// Whoever looks for a package finds it on the map, with what it imports.
func TestTheMapListsThePackages(t *testing.T) {
	t.Parallel()
	page := string(must.Get(os.ReadFile(architecture))(t))
	const begin, end = "<!-- packages -->\n", "<!-- /packages -->\n"
	before, rest, found := strings.Cut(page, begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatal("docs/architecture.md has no place for the table of packages")
	}
	want := before + begin + packagesTable(sources(t)) + end + after
	if want == page {
		return
	}
	if *update {
		must.Do(t, os.WriteFile(architecture, []byte(want), 0o644))
		return
	}
	t.Error("docs/architecture.md has another table of packages than the sources: run go test ./shared/house -update")
}

// packagesTable lists every package with the first sentence of its comment and
// the product's packages that it imports.
func packagesTable(all []source) string {
	says, imports := map[string]string{}, map[string][]string{}
	for _, s := range all {
		if s.isTest || strings.HasPrefix(s.pkg, "tools") {
			continue
		}
		if s.file.Doc != nil && says[s.pkg] == "" {
			says[s.pkg] = firstSentence(s.file.Doc.Text())
		}
		for _, path := range s.imports {
			if name, ours := strings.CutPrefix(path, module+"/"); ours && !slices.Contains(imports[s.pkg], name) {
				imports[s.pkg] = append(imports[s.pkg], name)
			}
		}
	}
	names := make([]string, 0, len(says))
	for name := range says {
		names = append(names, name)
	}
	slices.Sort(names)
	var table strings.Builder
	table.WriteString("| package | what it is | imports |\n|---|---|---|\n")
	for _, name := range names {
		slices.Sort(imports[name])
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", name, says[name], strings.Join(imports[name], ", "))
	}
	return table.String()
}

// firstSentence is the beginning of a package's comment, up to its first full
// stop or colon, without the package's name.
func firstSentence(doc string) string {
	doc = strings.Join(strings.Fields(doc), " ")
	doc = regexp.MustCompile(`^(Package|Command) \S+ `).ReplaceAllString(doc, "")
	if i := regexp.MustCompile(`[.:;]( |$)`).FindStringIndex(doc); i != nil {
		doc = doc[:i[0]]
	}
	return strings.ReplaceAll(doc, "|", `\|`)
}

// The way of a job names functions that are there.
func TestTheWayOfAJobExists(t *testing.T) {
	t.Parallel()
	page := string(must.Get(os.ReadFile(architecture))(t))
	steps := regexp.MustCompile("(?m)^\\| (\\d+) \\| .* \\| `([^`]+)` \\| `([^`]+)` \\|$").FindAllStringSubmatch(page, -1)
	if len(steps) != 12 {
		t.Errorf("%d steps, want 12", len(steps))
	}
	for _, step := range steps {
		text := string(must.Get(os.ReadFile(filepath.Join("..", "..", step[2])))(t))
		if !regexp.MustCompile(`(?m)^func (\([^)]*\) )?` + step[3] + `(\[[^\]]*\])?\(`).MatchString(text) {
			t.Errorf("step %s: %s has no function %s", step[1], step[2], step[3])
		}
	}
}
