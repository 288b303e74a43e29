package house_test

import (
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
)

// A promise whose test has gone is a promise that nothing holds: every test
// that the documents name must exist.
func TestDocumentsNameTestsThatExist(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for name := range tests(t) {
		_, name, _ = strings.Cut(name, " ")
		known[name] = true
	}
	documents, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	if err != nil || len(documents) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	named := regexp.MustCompile("`(?:[a-z]+\\.)?((?:Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9]*)`")
	found := 0
	for _, path := range documents {
		data := must.Get(os.ReadFile(path))(t)
		for _, match := range named.FindAllStringSubmatch(string(data), -1) {
			if found++; !known[match[1]] {
				t.Errorf("%s names %s, which does not exist", filepath.Base(path), match[1])
			}
		}
	}
	if found < 20 {
		t.Errorf("%d tests named: this test does not see the documents", found)
	}
}

// tests has every function of a test file, behind its package and a blank.
func tests(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, is := d.(*ast.FuncDecl); is && s.isTest {
				all[s.pkg+" "+f.Name.Name] = true
			}
		}
	}
	return all
}

// A promise names the package in front of its tests, so that they can be run.
func TestPromisesNameThePackagesOfTheirTests(t *testing.T) {
	t.Parallel()
	known, seen := tests(t), 0
	word := regexp.MustCompile("`([^`]+)`")
	page := string(must.Get(os.ReadFile(filepath.Join("..", "..", "docs", "promises.md")))(t))
	for i, line := range strings.Split(page, "\n") {
		pkg := ""
		for _, match := range word.FindAllStringSubmatch(line, -1) {
			switch name := match[1]; {
			case regexp.MustCompile(`^(Test|Fuzz|Benchmark)[A-Z]\w*$`).MatchString(name):
				if seen++; !known[pkg+" "+name] {
					t.Errorf("docs/promises.md:%d: %s is not in package %q", i+1, name, pkg)
				}
			case regexp.MustCompile(`^(deploy|producer|shared|worker)[a-z/]*$`).MatchString(name):
				pkg = name
			}
		}
	}
	if seen < 100 {
		t.Errorf("%d tests: this test does not see the promises", seen)
	}
}

// Every setting is documented, and every documented one exists.
func TestDocumentsNameEverySetting(t *testing.T) {
	t.Parallel()
	data := must.Get(os.ReadFile(filepath.Join("..", "..", "docs", "settings.md")))(t)
	declared := regexp.MustCompile(`command\.Env\("([a-z-]+)"\)|[^.]Env\("([a-z-]+)"\)`)
	settings := map[string]string{} // where each is declared, by its name
	for _, s := range sources(t) {
		if s.isTest || !under(s.pkg, "producer") && !under(s.pkg, "worker") && !under(s.pkg, "shared/command") {
			continue
		}
		text := must.Get(os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(s.path))))(t)
		for i, line := range strings.Split(string(text), "\n") {
			for _, match := range declared.FindAllStringSubmatch(line, -1) {
				settings[match[1]+match[2]] = fmt.Sprintf("%s:%d", s.path, i+1)
			}
		}
	}
	if len(settings) < 15 {
		t.Fatalf("%d settings seen: this test does not see the flags", len(settings))
	}
	for name, at := range settings {
		if !regexp.MustCompile("`--" + name + "[` ]").Match(data) {
			t.Errorf("%s: docs/settings.md does not name --%s", at, name)
		}
	}
}

// A page that is to be looked things up in begins with its contents.
func TestPagesBeginWithTheirContents(t *testing.T) {
	t.Parallel()
	pages := 0
	for _, name := range []string{"install", "run", "scale", "secure", "backup", "upgrade", "troubleshoot", "settings"} {
		page := string(must.Get(os.ReadFile(filepath.Join("..", "..", "docs", name+".md")))(t))
		top, rest, _ := strings.Cut(page, "\n## ")
		for _, match := range regexp.MustCompile(`(?m)^## (.+)$`).FindAllStringSubmatch("## "+rest, -1) {
			pages++
			if !strings.Contains(top, "["+match[1]+"](#") {
				t.Errorf("docs/%s.md lacks %q in its contents", name, match[1])
			}
		}
	}
	if pages < 30 {
		t.Errorf("%d headings: this test does not see the pages", pages)
	}
}
