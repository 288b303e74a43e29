package round_test

import (
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring/input"
)

// A producer that resumes a round with other settings is told each difference. Settings
// that it does not give, or that only look different, are no difference.
func TestDifferencesNameEachSetting(t *testing.T) {
	t.Parallel()
	m := job.Manifest{
		Round: "r1", AsOf: time.Unix(100, 0).UTC(), Mirror: "http://m", Unloadable: []string{"csharp"},
		Miners:   []input.Miner{{UID: 1, Hotkey: "h", GitHubID: "5", Token: input.TokenValid}},
		Registry: []byte(`{"a/b":{"emission_share":0.5}}`), Languages: []byte(`{"go":1}`), Tokens: []byte(`{"x":1}`),
	}
	file := func(name, data string) *round.File { return &round.File{Name: name, Data: []byte(data)} }
	for name, c := range map[string]struct {
		given round.Given
		want  []string
	}{
		"nothing is said": {round.Given{}, nil},
		"all is the same": {round.Given{
			Miners:   file("m.json", `[{"uid": 1, "hotkey": "h", "github_id": "5"}]`),
			Registry: file("r.json", `{"a/b": {"emission_share": 0.5}}`+"\n"), Languages: file("l.json", `{ "go": 1 }`), Tokens: file("t.json", `{"x": 1}`),
			Mirror: "http://m", AsOf: time.Unix(100, 0), Unloadable: []string{"csharp"},
		}, nil},
		"all is different": {round.Given{
			Miners:   file("m.json", `[{"uid": 2, "hotkey": "h", "github_id": "5"}]`),
			Registry: file("r.json", `{"a/b":{"emission_share":0.6}}`), Languages: file("l.json", `{"go":2}`), Tokens: file("t.json", `not JSON`),
			Mirror: "http://other", AsOf: time.Unix(101, 0), Unloadable: []string{},
		}, []string{"r.json", "l.json", "t.json", "m.json", "http://other", "as_of", "csharp"}},
	} {
		got := round.Differences(m, c.given)
		if len(got) != len(c.want) {
			t.Errorf("%s: got %q, want %d differences", name, got, len(c.want))
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(got[i], want) {
				t.Errorf("%s: %q does not name %q", name, got[i], want)
			}
		}
	}
}
