package parity_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/must"
)

// conversation asks a process that runs TestConform, and is told its answers in the order asked.
func conversation(t *testing.T, questions ...any) (answers []map[string]any) {
	t.Helper()
	var lines bytes.Buffer
	for _, q := range questions {
		must.Do(t, json.NewEncoder(&lines).Encode(q))
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestConform$")
	cmd.Env = append(os.Environ(), conformEnv+"=csharp", "MIRRORFLEET_GRAMMARS="+fleettest.Grammars())
	cmd.Stdin = &lines
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("TestConform: %v\n%.2000s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if text, marked := strings.CutPrefix(line, replyMark); marked {
			answer, _ := decoded([]byte(text)).(map[string]any)
			answers = append(answers, answer)
		}
	}
	return answers
}

// What conformance/ is told of a case is what TestRounds compares; a registry and weights are
// read by the product's own readers, and what they refuse is an answer, not an end.
func TestConformAnswers(t *testing.T) {
	t.Parallel()
	file := must.Get(filepath.Abs(filepath.Join(ownCases, "rounds", "0001.json.zst")))(t)
	pair := map[string]any{"filename": "a.py", "status": "added", "changes": 1, "head_content": "def f(): pass\n"}
	got := conversation(t,
		map[string]any{"case": file}, map[string]any{"read": file},
		map[string]any{"registry": map[string]any{"a/b": map[string]any{"emission_share": 2}}},
		map[string]any{"registry": map[string]any{"A/b": map[string]any{"emission_share": 0.25}}},
		map[string]any{"pairs": []any{pair}},
		map[string]any{"pairs": []any{pair}, "languages": map[string]any{"py": 3}, "tokens": map[string]any{}},
		map[string]any{"case": "absent.json"}, map[string]any{"case": refusedCase(t, file)}, map[string]any{"pairs": []any{pair}})
	if len(got) != 9 {
		t.Fatalf("%d answers to 9 questions: %v", len(got), got)
	}
	w := must.Get(readCase(file))(t)
	rounds, _ := got[0]["rounds"].([]any)
	c := &comparison{}
	for i, r := range rounds {
		r, _ := r.(map[string]any)
		c.compare("", "", r["outcome"], decoded(w.Expected[i]))
		if windows, _ := r["windows"].(map[string]any); len(windows) == 0 {
			t.Errorf("round %d: no windows", i)
		}
	}
	if len(rounds) != len(w.Expected) || len(c.wrong) > 0 || c.values == 0 {
		t.Errorf("%d rounds, %d values, want the case's: %v", len(rounds), c.values, c.wrong)
	}
	if of, _ := got[1]["case"].(map[string]any); len(of) == 0 {
		t.Errorf("to read a case: %v, want the case", got[1])
	}
	for i, want := range map[int]string{
		2: `"refused":"a/b: emission_share`, 3: `"EmissionShare":0.25`, 4: `"method":"tree-diff"`,
		5: `"refused":"token_weights.json`, 6: "absent.json", 7: `"error":"round 0: `, 8: `"method":"tree-diff"`,
	} {
		if text := string(must.Get(json.Marshal(got[i]))(t)); !strings.Contains(text, want) {
			t.Errorf("answer %d: %s, want it to say %s", i, text, want)
		}
	}
}

// refusedCase is a copy of a case whose registry the product refuses: it cannot be played.
func refusedCase(t *testing.T, file string) string {
	t.Helper()
	w := must.Get(readCase(file))(t)
	w.Registry = json.RawMessage(`{"a/b":{"emission_share":2}}`)
	name := filepath.Join(t.TempDir(), "refused.json")
	must.Do(t, os.WriteFile(name, must.Get(json.Marshal(w.Case))(t), 0o600))
	return name
}

// A case fails by the last bit of a figure: a rule may differ by no more than the order of a
// sum. How a number is written does not matter.
func TestFiguresAreEqualToTheLastBit(t *testing.T) {
	t.Parallel()
	for _, numbers := range []struct {
		got, want string
		equal     bool
	}{
		{"0.30000000000000004", "0.3", false}, {"3", "4", false}, {"3", "3.0", true}, {"0.25", "2.5e-1", true}, {`"3"`, "3", false},
	} {
		c := &comparison{}
		c.compare("", "", decoded([]byte(numbers.got)), decoded([]byte(numbers.want)))
		if equal := len(c.wrong) == 0; equal != numbers.equal || c.values != 1 {
			t.Errorf("%s and %s: equal is %v over %d values, want %v", numbers.got, numbers.want, equal, c.values, numbers.equal)
		}
	}
}

// The package that drives a checkout is tested without one; make conform-planted needs one.
func TestConformancePackage(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "python3", "-B", "-m", "unittest", "discover", "-s", "conformance/tests", "-t", ".")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Error(fmt.Errorf("conformance/tests: %w\n%s", err, out))
	}
}
