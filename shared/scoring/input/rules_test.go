package input_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/input"
)

// documentedSetting is a row of the table in docs/rules/scoring.md#registry, with its line.
type documentedSetting struct {
	path      string
	byDefault string
	bounds    string
	line      int
}

func registryTable(t *testing.T) (rows []documentedSetting) {
	t.Helper()
	page := string(must.Get(os.ReadFile("../../../docs/rules/scoring.md"))(t))
	before, section, _ := strings.Cut(page, "### Registry\n")
	section, _, _ = strings.Cut(section, "\n### ")
	first := 2 + strings.Count(before, "\n")
	for i, text := range strings.Split(section, "\n") {
		cells := strings.Split(text, "|")
		if len(cells) != 5 || strings.HasPrefix(cells[1], "-") || strings.TrimSpace(cells[1]) == "field" {
			continue
		}
		rows = append(rows, documentedSetting{
			path:      strings.TrimSpace(cells[1]),
			byDefault: strings.TrimSpace(cells[2]),
			bounds:    strings.TrimSpace(cells[3]),
			line:      first + i,
		})
	}
	return rows
}

// registryWith reads a registry of one repository that has this setting.
func registryWith(path, value string) (input.Repository, error) {
	keys := strings.Split(path, ".")
	slices.Reverse(keys)
	entry := value
	for i, key := range keys {
		entry = strconv.Quote(key) + ": " + entry
		if i == len(keys)-1 && key != "emission_share" {
			entry += `, "emission_share": 0.5`
		}
		entry = "{" + entry + "}"
	}
	registry, err := input.ParseRegistry([]byte(`{"a/b": ` + entry + `}`))
	if err != nil {
		return input.Repository{}, err
	}
	return registry.Repositories[0], nil
}

// A default in the table that the code does not have would score otherwise than the page
// says, and nothing else would show it.
func TestTheRulesHaveTheDefaultsOfTheCode(t *testing.T) {
	t.Parallel()
	numbers := 0
	want := input.DefaultRepository("a/b")
	want.EmissionShare = 0.5
	for _, row := range registryTable(t) {
		value := row.byDefault
		switch value {
		case "required":
			if _, err := input.ParseRegistry([]byte(`{"a/b": {}}`)); err == nil {
				t.Errorf("docs/rules/scoring.md:%d: %s is required there, and has a default in registry.go", row.line, row.path)
			}
			continue
		case "none":
			value = "null"
		}
		got, err := registryWith(row.path, value)
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(want)); err != nil || diff != "" {
			t.Errorf("docs/rules/scoring.md:%d: %s is %s by default there; shared/scoring/input/registry.go (DefaultRepository) has -, the page +: %v\n%s",
				row.line, row.path, row.byDefault, err, diff)
		}
		if json.Valid([]byte(value)) && value != "null" {
			numbers++
		}
	}
	if numbers < 25 {
		t.Errorf("%d defaults compared: this test does not see the table", numbers)
	}
}

// bounds are a range as the table writes it: [0,1], (0,1], ≥ 0 or > 0.
var bounds = regexp.MustCompile(`^(?:([[(])([0-9.]+),([0-9.]+)]|(≥|>) ([0-9.]+))`)

// Each bound of the table is taken, and a value beyond it refused.
func TestTheRulesHaveTheRangesOfTheCode(t *testing.T) {
	t.Parallel()
	ranges := 0
	for _, row := range registryTable(t) {
		of := bounds.FindStringSubmatch(row.bounds)
		if of == nil {
			continue
		}
		ranges++
		low := must.Get(strconv.ParseFloat(of[2]+of[5], 64))(t)
		open := of[1] == "(" || of[4] == ">"
		cases := map[float64]bool{low - 1: false, low: !open, low + 1: true}
		if of[3] != "" {
			high := must.Get(strconv.ParseFloat(of[3], 64))(t)
			cases[low+1] = high >= low+1
			cases[high], cases[high+1] = true, false
		}
		for value, fits := range cases {
			if _, err := registryWith(row.path, fmt.Sprint(value)); (err == nil) != fits {
				t.Errorf("docs/rules/scoring.md:%d: %s %s: the code reads %v with %v, want it taken: %v (shared/scoring/input/numbers.go, parse.go)",
					row.line, row.path, row.bounds, value, err, fits)
			}
		}
	}
	if ranges < 24 {
		t.Errorf("%d ranges compared: this test does not see the table", ranges)
	}
}

// The refusal of an unknown key lists the known ones: each of them is in the table.
func TestTheRulesNameEverySettingOfTheRegistry(t *testing.T) {
	t.Parallel()
	rows := registryTable(t)
	for _, group := range []string{"eligibility", "scoring", "scoring.time_decay"} {
		_, err := registryWith(group+".unknown", "1")
		if err == nil {
			t.Fatalf("%s takes a key that no rule knows", group)
		}
		_, known, listed := strings.Cut(err.Error(), "known are ")
		if !listed {
			t.Fatalf("%s: %v, want the known keys", group, err)
		}
		for key := range strings.SplitSeq(known, ", ") {
			if !slices.ContainsFunc(rows, func(row documentedSetting) bool { return row.path == group+"."+key }) {
				t.Errorf("docs/rules/scoring.md#registry lacks %s.%s, which shared/scoring/input/numbers.go reads", group, key)
			}
		}
	}
}
