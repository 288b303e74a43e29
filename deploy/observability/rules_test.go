package observability_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mirrorfleet/deploy/observability"
	"mirrorfleet/shared/must"
)

// Prometheus takes its configuration and the rules, and every alert comes with
// its fault and with no other: promtool runs the tests beside the rules.
func TestRules(t *testing.T) {
	t.Parallel()
	promtool(t, "", "check", "config", filepath.Join("prometheus", "prometheus.yml"))
	promtool(t, "", "check", "config", onHosts(t))
	tests := must.Get(observability.RuleTests("."))(t)
	promtool(t, "", append([]string{"test", "rules"}, slices.Sorted(maps.Keys(tests))...)...)
}

// onHosts is the example for processes without compose, with the rules where they are
// and with the files of its TLS, which promtool looks for.
func onHosts(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	text := string(must.Get(os.ReadFile(filepath.Join("prometheus", "hosts.yml")))(t))
	for _, name := range []string{"fleet-ca.pem", "prometheus.pem", "prometheus.key"} {
		if !strings.Contains(text, "/etc/prometheus/tls/"+name) {
			t.Errorf("the example for hosts has no %s", name)
		}
		must.Do(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	rules := must.Get(filepath.Abs(filepath.Join("prometheus", "rules")))(t)
	text = strings.NewReplacer("/etc/prometheus/tls", dir, "- rules/", "- "+rules+"/").Replace(text)
	path := filepath.Join(dir, "hosts.yml")
	must.Do(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// A test that never expects an alert, or always does, holds nothing: each has
// its fault, an hour without it, and its silence in the good round.
func TestEveryAlertIsTestedBothWays(t *testing.T) {
	t.Parallel()
	tests := must.Get(observability.RuleTests("."))(t)
	fires := map[string]bool{}
	silent := map[string]bool{}
	good := map[string]bool{}
	for path, file := range tests {
		for _, test := range file.Tests {
			for _, expected := range test.Alerts {
				switch {
				case len(expected.Expected) > 0:
					fires[expected.Name] = true
				case filepath.Base(path) == "good_round.yml":
					good[expected.Name] = true
				default:
					silent[expected.Name] = true
				}
			}
		}
	}
	for name := range alerts(t) {
		if !fires[name] || !silent[name] || !good[name] {
			t.Errorf("%s: fires in a test %t, is silent beside its fault %t, and in the good round %t; want all three",
				name, fires[name], silent[name], good[name])
		}
	}
}

// Whoever is woken is told what, how much, and where to read on.
func TestEveryAlertSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for _, r := range rules(t) {
		if r.Alert == "" {
			continue
		}
		if s := r.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s: severity %q, want critical or warning", r.Alert, s)
		}
		if r.Annotations["summary"] == "" || !strings.Contains(r.Annotations["description"]+r.Annotations["summary"], "$value") && r.Labels["seen"] != "never" {
			t.Errorf("%s: %v, want a summary and a description with the value", r.Alert, r.Annotations)
		}
		const runbook = `{{ or $externalLabels.mirrorfleet_runbook "docs/runbook.md" }}#`
		if got, want := r.Annotations["runbook_url"], runbook+strings.ToLower(r.Alert); got != want {
			t.Errorf("%s: runbook_url %q, want %q", r.Alert, got, want)
		}
	}
}

// Each alert has its entry in the runbook, with all that an entry has, and no
// entry is left of an alert that is none.
func TestRunbook(t *testing.T) {
	t.Parallel()
	data := must.Get(os.ReadFile(filepath.Join(root, "docs", "runbook.md")))(t)
	known := alerts(t)
	entries := map[string]string{}
	for _, section := range strings.Split(string(data), "\n## ")[1:] {
		title, text, _ := strings.Cut(section, "\n")
		entries[title] = text
	}
	for name := range known {
		for _, part := range []string{"**Means.**", "**Look first.**", "**Do.**", "**Harmless.**"} {
			if !strings.Contains(entries[name], part) {
				t.Errorf("docs/runbook.md, %s: no %s", name, part)
			}
		}
	}
	for title := range entries {
		if strings.HasPrefix(title, "Mirrorfleet") && !known[title] {
			t.Errorf("docs/runbook.md has an entry for %s, which is no alert", title)
		}
	}
}

// The expressions of the runbook are ones that can be pasted.
func TestQueriesAreWellFormed(t *testing.T) {
	t.Parallel()
	queries := must.Get(observability.Queries("."))(t)
	var file strings.Builder
	file.WriteString("groups:\n- name: all\n  rules:\n")
	for i, q := range append(queries, runbookQueries(t)...) {
		fmt.Fprintf(&file, "  - record: query_%d\n    expr: %q\n", i, inRules.Replace(q.Text))
	}
	path := filepath.Join(t.TempDir(), "queries.yml")
	must.Do(t, os.WriteFile(path, []byte(file.String()), 0o600))
	promtool(t, "", "check", "rules", path)
}

// inRules fills Grafana's variables in.
var inRules = strings.NewReplacer("$__rate_interval", "1m", "$__range", "1h", "$egress", "default")

// runbookQueries are what the runbook has in lines that begin with "promql:".
func runbookQueries(t *testing.T) (all []observability.Query) {
	t.Helper()
	data := must.Get(os.ReadFile(filepath.Join(root, "docs", "runbook.md")))(t)
	for _, found := range regexp.MustCompile("(?m)^    promql: (.*)$").FindAllStringSubmatch(string(data), -1) {
		all = append(all, observability.Query{Where: "docs/runbook.md", Text: found[1]})
	}
	if len(all) < 5 {
		t.Fatalf("%d queries in docs/runbook.md: this test does not see them", len(all))
	}
	return all
}
