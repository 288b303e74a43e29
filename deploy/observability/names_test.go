package observability_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/deploy/observability"
	"mirrorfleet/shared/must"
)

// given are labels that Prometheus puts to everything, or a query makes.
var given = map[string]bool{"instance": true, "job": true, "le": true}

// A misspelt name is no error to Prometheus: the query is empty, the alert
// never comes. So every name in rules, alerts, their tests, the dashboard and
// the runbook is one that is recorded here or declared, with its labels.
func TestQueriesNameMetricsThatExist(t *testing.T) {
	t.Parallel()
	declared := must.Get(observability.ReadDeclared(root))(t)
	queries := must.Get(observability.Queries("."))(t)
	tests := must.Get(observability.RuleTests("."))(t)
	for path, file := range tests {
		for _, test := range file.Tests {
			for _, input := range test.Input {
				queries = append(queries, observability.Query{Where: filepath.Base(path), Text: input.Series})
			}
		}
	}
	queries = append(queries, runbookQueries(t)...)
	recorded := map[string]bool{}
	for _, r := range rules(t) {
		recorded[r.Record] = true
	}
	for _, q := range queries {
		known := labelsOf(t, q, declared, recorded)
		_, grouped := q.Selectors()
		for _, label := range grouped {
			if !given[label] && !known[label] {
				t.Errorf("%s: groups by %s, which no metric in it has\n%s", q.Where, label, q.Text)
			}
		}
	}
}

// labelsOf checks the selectors of a query and returns the labels that its
// metrics have; those of a recorded one are checked where it is recorded.
func labelsOf(t *testing.T, q observability.Query, declared observability.Declared, recorded map[string]bool) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	selectors, _ := q.Selectors()
	if len(selectors) == 0 && !strings.HasPrefix(q.Text, "vector(") {
		t.Errorf("%s: names no metric\n%s", q.Where, q.Text)
	}
	for _, s := range selectors {
		labels := declared.Of(s.Metric)
		switch {
		case recorded[s.Metric]:
			for _, of := range declared.Labels {
				for label := range of {
					all[label] = true
				}
			}
			continue
		case strings.HasPrefix(s.Metric, "process_") || s.Metric == "up":
			labels = given
		case labels == nil:
			t.Errorf("%s: no metric %s\n%s", q.Where, s.Metric, q.Text)
			continue
		}
		for label := range s.Labels {
			if !given[label] && !labels[label] {
				t.Errorf("%s: %s has no label %s\n%s", q.Where, s.Metric, label, q.Text)
			}
		}
		for label := range labels {
			all[label] = true
		}
	}
	return all
}

// The table of docs/observability.md is what package telemetry declares.
func TestTableIsWhatIsDeclared(t *testing.T) {
	t.Parallel()
	declared := must.Get(observability.ReadDeclared(root))(t)
	constants := map[string]bool{}
	for _, name := range []string{"names.go", "instruments.go"} {
		file := must.Get(parser.ParseFile(token.NewFileSet(), filepath.Join(root, "shared", "telemetry", name), nil, 0))(t)
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || !strings.HasPrefix(spec.Names[0].Name, "Metric") || len(spec.Values) != 1 {
				return true
			}
			if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
				value, _ := strconv.Unquote(literal.Value)
				constants[value] = true
			}
			return true
		})
	}
	if diff := cmp.Diff(constants, declared.Names); diff != "" {
		t.Errorf("docs/observability.md differs (-declared +in the table):\n%s", diff)
	}
}

func TestSelectors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]observability.Selector{
		`sum by (a, le) (rate(one_total{b="x{y}",c=~"d|e"}[5m])) / on () group_left (f) two`: {
			{Metric: "one_total", Labels: map[string]string{"b": "x{y}", "c": ""}}, {Metric: "two", Labels: map[string]string{}},
		},
		`(one unless one offset 10m) or increase(ns:two:rate5m[10m])`: {
			{Metric: "one", Labels: map[string]string{}}, {Metric: "one", Labels: map[string]string{}}, {Metric: "ns:two:rate5m", Labels: map[string]string{}},
		},
		`time() - max(one) > 2 * 60`:                  {{Metric: "one", Labels: map[string]string{}}},
		`one{a="1", b="2"} and on () rate(two[$__x])`: {{Metric: "one", Labels: map[string]string{"a": "1", "b": "2"}}, {Metric: "two", Labels: map[string]string{}}},
	} {
		got, _ := observability.Query{Text: text}.Selectors()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// The dashboard shows what it is for, from the data source that is provisioned.
func TestDashboard(t *testing.T) {
	t.Parallel()
	dashboards := must.Get(observability.Dashboards("."))(t)
	rows, queries := map[string]bool{}, 0
	for _, d := range dashboards {
		for _, p := range d.Panels {
			rows[p.Title] = true
			queries += len(p.Targets)
		}
	}
	for _, want := range []string{"The limit", "The round", "The queue", "Errors by class", "Latency", "Scoring"} {
		if !rows[want] {
			t.Errorf("no row %q", want)
		}
	}
	if queries < 50 {
		t.Errorf("%d queries: this test does not see the panels", queries)
	}
}
