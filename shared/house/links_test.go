package house_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
)

var (
	heading = regexp.MustCompile(`(?m)^#{1,6} (.+)$`)
	fence   = regexp.MustCompile("(?ms)^```.*?^```$")
	// link is a link of Markdown to a file or a heading of the repository.
	link = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	// citation is a page that a source names, with its heading.
	citation = regexp.MustCompile(`\bdocs/[a-z/-]+\.md(?:#[a-z0-9-]+)?`)
	section  = regexp.MustCompile(`(?i)\bsections? \d+\b`)
)

// anchors lists the headings of a page by the names under which links reach
// them, made as the usual viewers make them: lower case, punctuation dropped,
// spaces as hyphens, and a number behind a name that was there before.
func anchors(page string) []string {
	var names []string
	for _, match := range heading.FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1) {
		var b strings.Builder
		for _, r := range strings.ToLower(strings.TrimSpace(match[1])) {
			switch {
			case r == ' ':
				b.WriteByte('-')
			case r == '-' || r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r > 127:
				b.WriteRune(r)
			}
		}
		name := b.String()
		for n := 1; slices.Contains(names, name); n++ {
			name = b.String() + "-" + string(rune('0'+n))
		}
		names = append(names, name)
	}
	return names
}

// leads says why a link does not lead to a file, or to a heading of a page; both
// are empty when it leads there.
func leads(t *testing.T, path, anchor string) string {
	t.Helper()
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "there is no such file"
	case anchor == "" || info.IsDir():
		return ""
	case !slices.Contains(anchors(string(must.Get(os.ReadFile(path))(t))), anchor):
		return "the page has no such heading"
	}
	return ""
}

// lineOf is the number of the line in which the byte at the offset stands.
func lineOf(text string, offset int) int { return 1 + strings.Count(text[:offset], "\n") }

// A link to a file or a heading that is gone sends its reader nowhere.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	texts(t, func(path, text string) {
		for _, match := range link.FindAllStringSubmatchIndex(text, -1) {
			target := text[match[2]:match[3]]
			if strings.Contains(target, "://") {
				continue
			}
			file, anchor, _ := strings.Cut(target, "#")
			to := filepath.Join("..", "..", filepath.Dir(path), file)
			if file == "" {
				to = filepath.Join("..", "..", path)
			}
			if why := leads(t, to, anchor); why != "" {
				t.Errorf("%s:%d links to %s: %s", path, lineOf(text, match[0]), target, why)
			}
		}
	}, ".md")
}

// Sources cite rules by page and heading: a number of a section moves, and names
// no page.
func TestSourcesCiteHeadingsThatExist(t *testing.T) {
	t.Parallel()
	cited := 0
	texts(t, func(path, text string) {
		for _, match := range section.FindAllStringIndex(text, -1) {
			t.Errorf("%s:%d cites %q: name the page and its heading", path, lineOf(text, match[0]), text[match[0]:match[1]])
		}
		if strings.HasPrefix(path, "shared/house/") {
			return
		}
		for _, match := range citation.FindAllStringIndex(text, -1) {
			cited++
			file, anchor, _ := strings.Cut(text[match[0]:match[1]], "#")
			if why := leads(t, filepath.Join("..", "..", file), anchor); why != "" {
				t.Errorf("%s:%d cites %s: %s", path, lineOf(text, match[0]), text[match[0]:match[1]], why)
			}
		}
	}, ".go", ".py", ".sh", ".c", ".h", ".conf", ".acl", ".yaml", ".yml", ".md")
	if cited < 40 {
		t.Errorf("%d citations: this test does not see the sources", cited)
	}
}
