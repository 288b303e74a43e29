package round_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring/input"
)

func TestPlanRefusesEverythingThatIsWrongAtOnce(t *testing.T) {
	t.Parallel()
	_, err := round.Plan("r1", round.Inputs{
		Miners:    round.File{Name: "m.json", Data: []byte(`[{"uid": -1, "hotkey": "h", "github_id": "1"}]`)},
		Registry:  round.File{Name: "r.json", Data: []byte(`{"a/b": {"emission_share": 2}}`)},
		Languages: round.File{Name: "l.json", Data: []byte(`{"go": {"weight": "x"}}`)},
		Tokens:    round.File{Name: "t.json", Data: []byte(`{}`)},
	}, time.Now())
	if !errors.Is(err, round.ErrInput) {
		t.Fatalf("got %v, want ErrInput", err)
	}
	for _, want := range []string{"m.json", "-1", "r.json", "a/b", "emission_share", "l.json", "as_of"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %q:\n%v", want, err)
		}
	}
}

func TestOnlyMinersThatNoRuleFailsHaveJobs(t *testing.T) {
	t.Parallel()
	m := job.Manifest{Round: "r1", AsOf: time.Unix(1, 0), Miners: append(four(),
		input.Miner{UID: 4, Hotkey: "", GitHubID: "104"},
		input.Miner{UID: 5, Hotkey: "h5", GitHubID: "105", Token: input.TokenStale},
		input.Miner{UID: 6, Hotkey: "h6", GitHubID: "106", Token: input.TokenValid},
	)}
	var uids []int
	for _, j := range m.Jobs() {
		uids = append(uids, j.UID)
		if _, err := j.Encode(); err != nil {
			t.Error(err)
		}
	}
	if len(uids) != 3 || uids[0] != 1 || uids[1] != 2 || uids[2] != 6 {
		t.Errorf("jobs for %v, want 1, 2 and 6", uids)
	}
}

func TestRoundNamesAreValidAndSortByTime(t *testing.T) {
	t.Parallel()
	early := round.NewID(time.Date(2026, 6, 1, 9, 59, 59, 0, time.UTC), [3]byte{0xff, 0, 1})
	late := round.NewID(time.Date(2026, 6, 1, 10, 0, 0, 0, time.UTC), [3]byte{0, 0, 1})
	if !job.ValidRound(early) || early >= late {
		t.Errorf("names %q and %q: want valid ones in the order of time", early, late)
	}
}
