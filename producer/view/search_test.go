package view_test

import (
	"fmt"
	"slices"
	"testing"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/scoring"
)

// A search finds what has exactly the name, and otherwise what has it as a part; nothing that
// is not in the round.
func TestSearch(t *testing.T) {
	t.Parallel()
	pull := func(repository string, number int, login string) scoring.PullRequestOutcome {
		var p scoring.PullRequestOutcome
		p.Repository = repository
		p.Number = number
		p.Listed = &scoring.Listed{AuthorLogin: login}
		return p
	}
	r := outcome.Result{Round: "20260601t000000z-aaaaaa", Outcome: scoring.Outcome{
		Emission: []scoring.RepositoryEmission{{Repository: "Acme/tools"}, {Repository: "acme/web"}},
		Miners: []scoring.MinerOutcome{
			{UID: 0, Hotkey: "5Recycle", GitHubID: "0"},
			{UID: 7, Hotkey: "5FHneW46xGX", GitHubID: "1007", PullRequests: []scoring.PullRequestOutcome{pull("acme/web", 12, "Ann"), pull("acme/web", 13, "ann-new")}},
			{UID: 12, Hotkey: "5FHneW99", GitHubID: "7", Dropped: []scoring.Dropped{{Repository: "other/thing", Number: 12}}},
		},
	}}
	rounds := []string{"20260531t220000z-bbbbbb", r.Round}
	for text, want := range map[string][]string{
		"":                            nil,
		"   ":                         nil,
		"7":                           {"miner 7 5FHneW46xGX", "miner 12 7"},
		" UID 12 ":                    {"miner 12 5FHneW99"},
		"0":                           {"miner 0 5Recycle"}, // and no miner without an account
		"1007":                        {"miner 7 1007"},
		"5fhnew46xgx":                 {"miner 7 5FHneW46xGX"},
		"5FHneW":                      {"miner 7 5FHneW46xGX", "miner 12 5FHneW99"},
		"5F":                          nil, // too short a part
		"ANN":                         {"miner 7 Ann"},
		"@ann-new":                    {"miner 7 ann-new"},
		"ann-":                        {"miner 7 ann-new"},
		"acme/Web#12":                 {"pull request 7 acme/web#12"},
		"#12":                         {"pull request 7 acme/web#12", "pull request 12 other/thing#12"},
		"acme/web#99":                 nil,
		"acme/web":                    {"repository acme/web"},
		"acme":                        {"repository Acme/tools", "repository acme/web"},
		"thing":                       {"repository other/thing"},
		"20260531t":                   {"round 20260531t220000z-bbbbbb"},
		"t000000z":                    {"round 20260601t000000z-aaaaaa"},
		"github.com/Ann":              {"miner 7 Ann"},
		"http://github.com":           nil,
		"https://github.com/acme/web": {"repository acme/web"},
		"https://github.com/acme/web/pull/12/files?w=1#d": {"pull request 7 acme/web#12"},
		"https://github.com/acme/web/issues/13":           {"pull request 7 acme/web#13"},
		"https://github.com/%zz":                          nil,
		"\u202e<script>":                                  nil,
	} {
		var got []string
		for _, f := range view.Search(&r, rounds, text) {
			line := string(f.Kind)
			if f.Kind == view.FoundMiner || f.Kind == view.FoundPull {
				line += fmt.Sprintf(" %d", f.UID)
			}
			got = append(got, line+" "+f.Text)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := view.Search(&outcome.Result{}, rounds, "bbbbbb"); len(got) != 1 || got[0].Round != rounds[0] {
		t.Errorf("without an outcome: %+v, want the round", got)
	}
}
