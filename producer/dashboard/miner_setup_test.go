package dashboard_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

// byTheRules is an evaluation by the rules, of texts that are hostile: merged pull requests,
// an open one, a closed one, one that is dropped, and issues.
func byTheRules(j job.Job, registry input.Registry) job.Evaluation {
	pull := func(number int, state scoring.State, hours int) scoring.PullRequest {
		p := scoring.PullRequest{
			Repository:        "a/b",
			Number:            100*j.UID + number,
			Title:             "Title " + hostile,
			State:             state,
			AuthorID:          j.GitHubID,
			AuthorLogin:       fmt.Sprintf("login%d%s", j.UID, hostile),
			AuthorAssociation: "CONTRIBUTOR",
			CreatedAt:         asOf.Add(-200 * time.Hour),
			BaseRef:           "main",
			DefaultBranch:     "main",
			HeadSHA:           "head",
			ScoringDataStored: true,
			Labels:            []scoring.Label{{Name: "bug " + hostile, ActorAssociation: "MEMBER"}},
		}
		if state == scoring.Merged {
			p.MergedAt, p.MergedByLogin = asOf.Add(-time.Duration(hours)*time.Hour), "merger"
		}
		return p
	}
	dropped := pull(5, scoring.Merged, 3)
	dropped.BaseRef = "elsewhere" + hostile
	pulls := []scoring.PullRequest{pull(1, scoring.Merged, 1), pull(2, scoring.Merged, 150), pull(3, scoring.Open, 0),
		pull(4, scoring.Closed, 0), dropped, pull(6, scoring.Merged, 20), pull(7, scoring.Merged, 190)}
	figures := tokens.Totals([]tokens.FileFigures{{
		Filename:  hostile + ".go",
		Method:    tokens.MethodTreeDiff,
		Category:  tokens.CategorySource,
		Score:     float64(30 * j.UID),
		Nodes:     4,
		Lines:     7,
		Breakdown: &tokens.Breakdown{StructuralAddedCount: 4, StructuralAddedScore: float64(30 * j.UID)},
		Largest:   []tokens.Contribution{{Type: hostile, Added: 4, Score: float64(30 * j.UID)}},
	}, {
		Filename: "README.md",
		Method:   tokens.MethodLineCount,
		Category: tokens.CategoryNonCode,
		Score:    1.2,
		Nodes:    10,
		Lines:    10,
	}})
	repo, _ := registry.Repository("a/b")
	loaded := scoring.Load(pulls, registry)
	scored := func(list []scoring.PullRequest) (all []scoring.ScoredPullRequest) {
		for i := range list {
			one := scoring.Score(list[i], repo, &figures, asOf)
			one.Tokens = &figures
			all = append(all, one)
		}
		return all
	}
	return job.Evaluation{
		Version: job.Version, Round: j.Round, UID: j.UID,
		Evaluation: scoring.Evaluation{
			UID: j.UID, Hotkey: j.Hotkey, GitHubID: j.GitHubID,
			Merged: scored(loaded.Merged), Open: scored(loaded.Open), Closed: scored(loaded.Closed), Dropped: loaded.Dropped,
			Received: scoring.Facts(pulls),
			Issues: &scoring.IssueAnswers{Open: map[string]int{"a/b": 1}, Listed: []scoring.Issue{
				{Repository: "a/b", Number: 100*j.UID + 50, Title: hostile, State: scoring.Closed, StateReason: "NOT_PLANNED", AuthorID: j.GitHubID,
					CreatedAt: asOf.Add(-100 * time.Hour), ClosedAt: asOf.Add(-90 * time.Hour)},
			}},
		},
	}
}

// minersRound is a dashboard over a concluded round of miners with work of every kind.
func minersRound(t *testing.T) (*bundle, outcome.Result) {
	t.Helper()
	b := setup(t)
	registry := must.Get(input.ParseRegistry(b.plan(t, now).Registry))(t)
	b.evaluate = func(j job.Job) job.Evaluation { return byTheRules(j, registry) }
	b.work(t)
	return b, b.concluded(t, now)
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
