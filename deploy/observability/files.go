package observability

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Rule is one of Prometheus' rules: an alert, or a recording.
type Rule struct {
	Alert       string            `yaml:"alert"`
	Record      string            `yaml:"record"`
	Expr        string            `yaml:"expr"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// RuleTest is one of promtool's test files.
type RuleTest struct {
	Tests []struct {
		Name  string `yaml:"name"`
		Input []struct {
			Series string `yaml:"series"`
		} `yaml:"input_series"`
		Alerts []struct {
			Name     string `yaml:"alertname"`
			Expected []any  `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	} `yaml:"tests"`
}

// Rules reads all rules below dir, this package's folder.
func Rules(dir string) ([]Rule, error) {
	var all []Rule
	err := each(filepath.Join(dir, "prometheus", "rules", "*.yml"), func(_ string, data []byte) error {
		var file struct {
			Groups []struct {
				Rules []Rule `yaml:"rules"`
			} `yaml:"groups"`
		}
		err := yaml.Unmarshal(data, &file)
		for _, group := range file.Groups {
			all = append(all, group.Rules...)
		}
		return err //nolint:wrapcheck // each names the file
	})
	return all, err
}

// RuleTests reads the tests of the rules, by file.
func RuleTests(dir string) (map[string]RuleTest, error) {
	all := map[string]RuleTest{}
	err := each(filepath.Join(dir, "prometheus", "tests", "*.yml"), func(path string, data []byte) error {
		var test RuleTest
		err := yaml.Unmarshal(data, &test)
		all[path] = test
		return err //nolint:wrapcheck // each names the file
	})
	return all, err
}

// Panel is one of a dashboard's.
type Panel struct {
	Title   string  `json:"title"`
	Panels  []Panel `json:"panels"`
	Targets []struct {
		Expr string `json:"expr"`
	} `json:"targets"`
}

// Dashboard is one of Grafana's.
type Dashboard struct {
	UID    string  `json:"uid"`
	Title  string  `json:"title"`
	Panels []Panel `json:"panels"`
}

// Dashboards reads all dashboards below dir.
func Dashboards(dir string) (map[string]Dashboard, error) {
	all := map[string]Dashboard{}
	err := each(filepath.Join(dir, "grafana", "dashboards", "*.json"), func(path string, data []byte) error {
		var d Dashboard
		err := json.Unmarshal(data, &d)
		all[path] = d
		return err //nolint:wrapcheck // each names the file
	})
	return all, err
}

// Queries are the expressions of all rules and dashboards below dir.
func Queries(dir string) ([]Query, error) {
	rules, err := Rules(dir)
	if err != nil {
		return nil, err
	}
	var all []Query
	for _, r := range rules {
		all = append(all, Query{"rule " + r.Alert + r.Record, r.Expr})
	}
	dashboards, err := Dashboards(dir)
	if err != nil {
		return nil, err
	}
	for path, d := range dashboards {
		all = append(all, ofPanels(filepath.Base(path), d.Panels)...)
	}
	return all, nil
}

func ofPanels(where string, panels []Panel) (all []Query) {
	for _, p := range panels {
		for _, t := range p.Targets {
			all = append(all, Query{where + ", panel " + p.Title, t.Expr})
		}
		all = append(all, ofPanels(where, p.Panels)...)
	}
	return all
}

// errNothing says that a pattern matches no file.
var errNothing = errors.New("there is none")

func each(pattern string, read func(path string, data []byte) error) error {
	paths, err := filepath.Glob(pattern)
	if err == nil && len(paths) == 0 {
		err = errNothing
	}
	if err != nil {
		return fmt.Errorf("%s: %w", pattern, err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("reading what is deployed: %w", err)
		}
		if err := read(path, data); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// Declared are the metrics of the table in docs/observability.md, as Prometheus names
// them, with their labels.
type Declared struct {
	// Names are OpenTelemetry's.
	Names  map[string]bool
	Labels map[string]map[string]bool
}

// row is a line of the table: name, Prometheus' name, what it is, attributes.
var (
	row    = regexp.MustCompile("(?m)^\\| `([a-z_.]+)`[^|]*\\| `([a-z0-9_]+)` \\|[^|]*\\|([^|]*)\\|$")
	quoted = regexp.MustCompile("`([a-z_.]+)`")
)

// ReadDeclared reads the table below root, the module's.
func ReadDeclared(root string) (Declared, error) {
	d := Declared{map[string]bool{}, map[string]map[string]bool{}}
	data, err := os.ReadFile(filepath.Join(root, "docs", "observability.md"))
	if err != nil {
		return d, fmt.Errorf("reading the declared metrics: %w", err)
	}
	for _, line := range row.FindAllStringSubmatch(string(data), -1) {
		labels := map[string]bool{}
		for _, attribute := range quoted.FindAllStringSubmatch(line[3], -1) {
			labels[strings.ReplaceAll(attribute[1], ".", "_")] = true
		}
		d.Names[line[1]], d.Labels[line[2]] = true, labels
	}
	if len(d.Names) == 0 {
		return d, fmt.Errorf("docs/observability.md, the table of metrics: %w", errNothing)
	}
	return d, nil
}

// Of finds the labels of a series by its name, parts of histograms included;
// nil if nobody declares it.
func (d Declared) Of(name string) map[string]bool {
	if labels, known := d.Labels[name]; known {
		return labels
	}
	for _, part := range []string{"_bucket", "_sum", "_count"} {
		if whole, found := strings.CutSuffix(name, part); found {
			return d.Labels[whole]
		}
	}
	return nil
}
