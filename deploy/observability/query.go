package observability

import (
	"regexp"
	"slices"
	"strings"
)

// Query is one expression, and where it stands.
type Query struct{ Where, Text string }

// Selector is a metric in a query, with its labels as they are matched; the
// value is "" where it is no plain equality.
type Selector struct {
	Metric string
	Labels map[string]string
}

// The parts of an expression that matter here: selectors, groupings, and what
// may look like either. Texts in quotes are taken first, since they may hold
// anything.
var (
	spoken   = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	variable = regexp.MustCompile(`\$__?[a-z_]+|\[[^\]]*\]|offset\s+\w+`)
	grouping = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	selector = regexp.MustCompile(`([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(\{[^}]*\}|\(|)`)
	matcher  = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*@(\d+)@`)
)

// words are no metrics, though no bracket follows them.
//
//nolint:gochecknoglobals // a constant, if Go had such
var words = []string{"and", "or", "unless", "bool", "by", "without", "on", "ignoring", "inf", "nan"}

// Selectors lists the metrics of a query, and Grouped the labels that it groups
// or matches by.
func (q Query) Selectors() (selectors []Selector, grouped []string) {
	var texts []string
	rest := spoken.ReplaceAllStringFunc(q.Text, func(text string) string {
		texts = append(texts, strings.Trim(text, `"`))
		return "@" + strings.Repeat("0", len(texts)) + "@" // its place by its length: digits are no name
	})
	rest = variable.ReplaceAllString(rest, " ")
	rest = grouping.ReplaceAllStringFunc(rest, func(text string) string {
		_, list, _ := strings.Cut(text, "(")
		for label := range strings.SplitSeq(strings.TrimSuffix(list, ")"), ",") {
			if label = strings.TrimSpace(label); label != "" {
				grouped = append(grouped, label)
			}
		}
		return " "
	})
	for _, found := range selector.FindAllStringSubmatch(rest, -1) {
		if found[2] == "(" || slices.Contains(words, strings.ToLower(found[1])) {
			continue
		}
		s := Selector{Metric: found[1], Labels: map[string]string{}}
		for _, m := range matcher.FindAllStringSubmatch(found[2], -1) {
			value := ""
			if m[2] == "=" {
				value = texts[len(m[3])-1]
			}
			s.Labels[m[1]] = value
		}
		selectors = append(selectors, s)
	}
	return selectors, grouped
}
