package dashboard_test

import (
	"strings"
	"testing"

	"mirrorfleet/producer/roundtest"

	"golang.org/x/net/html"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/scoring/input"
)

// minersRound is a dashboard over a concluded round of miners with work of every kind.
func minersRound(t *testing.T) (*bundle, outcome.Result) {
	t.Helper()
	b := setup(t)
	registry := must.Get(input.ParseRegistry(b.Plan(t, now).Registry))(t)
	b.Evaluate = func(j job.Job) job.Evaluation { return roundtest.ByTheRules(j, registry, hostile) }
	b.Work(t)
	return b, b.Concluded(t, now)
}

// element is a part of a page.
type element struct{ *html.Node }

// parsed reads a page.
func parsed(t *testing.T, a nettest.Answer) element {
	t.Helper()
	return element{must.Get(html.Parse(strings.NewReader(a.Body)))(t)}
}

// all are the elements of a name within an element.
func (e element) all(name string) (found []element) {
	for n := range e.Descendants() {
		if n.Type == html.ElementNode && n.Data == name {
			found = append(found, element{n})
		}
	}
	return found
}

func (e element) attribute(name string) string {
	for _, a := range e.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// text is an element's, with single blanks.
func (e element) text() string {
	var all []string
	for n := range e.Descendants() {
		if n.Type == html.TextNode {
			all = append(all, n.Data)
		}
	}
	return strings.Join(strings.Fields(strings.Join(all, "")), " ")
}

// rows are the texts of the cells of the table in the region of a name.
func (e element) rows(t *testing.T, region string) (rows [][]string) {
	t.Helper()
	for _, div := range e.all("div") {
		if div.attribute("role") != "region" || div.attribute("aria-label") != region {
			continue
		}
		for _, tr := range div.all("tr") {
			var cells []string
			for n := range tr.ChildNodes() {
				if n.Type == html.ElementNode {
					cells = append(cells, element{n}.text())
				}
			}
			rows = append(rows, cells)
		}
		return rows
	}
	t.Fatalf("no table is called %q", region)
	return nil
}
