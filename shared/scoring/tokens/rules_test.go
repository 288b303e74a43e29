package tokens_test

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/tokens"
)

// rulesPage is where docs/rules/weights.md lies, from this package.
const rulesPage = "../../../docs/rules/weights.md"

// documentedRow is a row of a table of the page: its two cells, with its line.
type documentedRow struct {
	left, right string
	line        int
}

func weightsTable(t *testing.T, heading string) (rows []documentedRow) {
	t.Helper()
	before, section, found := strings.Cut(string(must.Get(os.ReadFile(rulesPage))(t)), "## "+heading+"\n")
	if !found {
		t.Fatalf("docs/rules/weights.md has no heading %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	first := 2 + strings.Count(before, "\n")
	for i, text := range strings.Split(section, "\n") {
		cells := strings.Split(text, "|")
		if len(cells) != 4 || strings.HasPrefix(cells[1], "-") || strings.Contains(cells[1]+cells[2], "weight:") || strings.TrimSpace(cells[1]) == "weight" {
			continue
		}
		rows = append(rows, documentedRow{strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2]), first + i})
	}
	return rows
}

// compareWeights compares what the page says of each name with the built-in file.
func compareWeights[T comparable](t *testing.T, file string, page map[string]T, lines map[string]int, code map[string]T) {
	t.Helper()
	if len(code) < 40 {
		t.Errorf("%s: %d weights read: this test does not see the file", file, len(code))
	}
	for name, want := range code {
		if got, named := page[name]; !named {
			t.Errorf("docs/rules/weights.md lacks %s, which is %v in shared/scoring/tokens/weights/%s", name, want, file)
		} else if got != want {
			t.Errorf("docs/rules/weights.md:%d: %s is %v there, and %v in shared/scoring/tokens/weights/%s", lines[name], name, got, want, file)
		}
	}
	for name := range page {
		if _, there := code[name]; !there {
			t.Errorf("docs/rules/weights.md:%d: %s is not in shared/scoring/tokens/weights/%s", lines[name], name, file)
		}
	}
}

// A round without --weights uses the built-in files. Operators read the page instead.
func TestTheRulesHaveTheWeightsOfTheCode(t *testing.T) {
	t.Parallel()
	languages, nodes := tokens.DefaultWeights()

	type language struct {
		Weight   float64 `json:"weight"`
		Language string  `json:"language"`
	}
	var code map[string]language
	must.Do(t, json.Unmarshal(languages, &code))
	page, lines := map[string]language{}, map[string]int{}
	for _, row := range weightsTable(t, "Languages") {
		for group := range strings.SplitSeq(row.right, ";") {
			weight, extensions, _ := strings.Cut(strings.TrimSpace(group), ":")
			for extension := range strings.FieldsSeq(extensions) {
				name := strings.TrimPrefix(row.left, "(by lines)")
				page[extension] = language{must.Get(strconv.ParseFloat(weight, 64))(t), name}
				lines[extension] = row.line
			}
		}
	}
	compareWeights(t, tokens.LanguagesFile, page, lines, code)

	var groups map[string]map[string]float64
	must.Do(t, json.Unmarshal(nodes, &groups))
	for heading, key := range map[string]string{"Structural bonus": "structural_bonus", "Leaf tokens": "leaf_tokens"} {
		page, lines := map[string]float64{}, map[string]int{}
		for _, row := range weightsTable(t, heading) {
			for node := range strings.FieldsSeq(row.right) {
				page[node], lines[node] = must.Get(strconv.ParseFloat(row.left, 64))(t), row.line
			}
		}
		compareWeights(t, tokens.TokensFile+" ("+key+")", page, lines, groups[key])
	}
}
