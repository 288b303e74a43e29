package audit_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/audit"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring/input"
)

// whole is what is held of a concluded round of two jobs, miner 1 done and
// miner 2 dead, with nothing wrong.
func whole(t *testing.T) job.Inventory {
	t.Helper()
	letter := job.DeadLetter{Round: "r1", UID: 2, Class: job.Permanent}
	outcome, err := json.Marshal(outcome.Result{
		Version: job.Version, Round: "r1", Revision: 1, Planned: 2, Done: 1, Failed: 1, DeadLetters: []job.DeadLetter{letter},
		Evaluations: []outcome.Part{{UID: 1, Key: "r1.1.c", SHA256: "d1"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	miners := []input.Miner{
		{UID: 0, Hotkey: "h0", GitHubID: "100"},
		{UID: 1, Hotkey: "h1", GitHubID: "101"},
		{UID: 2, Hotkey: "h2", GitHubID: "102"},
		{UID: 3, Hotkey: "h3", GitHubID: "103", Token: input.TokenNone}, // a rule fails it: no job
	}
	now := time.Unix(100, 0)
	return job.Inventory{
		At: now, Manifest: job.Manifest{Round: "r1", AsOf: time.Unix(1, 0), Miners: miners},
		Records: []job.Record{
			{Round: "r1", UID: 1, Phase: job.Done, Evaluation: "r1.1.c"},
			{Round: "r1", UID: 2, Phase: job.Failed, Failure: &job.Failure{Class: job.Permanent, At: now}},
		},
		Messages: map[int]int{}, Evaluations: []string{"r1.1.c"}, Letters: []job.DeadLetter{letter},
		Outcomes: []int{1}, Latest: outcome,
	}
}

// Each way in which what is held can fail to fit is named, with the miner; and
// only what loses or doubles a job breaks the balance.
func TestAuditNamesEveryDiscrepancy(t *testing.T) {
	t.Parallel()
	outstanding := func(h *job.Inventory) { // miner 1 is under way, nothing is concluded
		h.Records[0] = job.Record{Round: "r1", UID: 1, Phase: job.Running, Claim: &job.Claim{ID: "c"}}
		h.Messages = map[int]int{1: 1}
		h.Outcomes = nil
		h.Latest = nil
	}
	for name, c := range map[string]struct {
		change func(h *job.Inventory)
		want   []audit.Discrepancy
		says   string
	}{
		"nothing":                    {func(*job.Inventory) {}, nil, "2 planned = 1 done + 1 failed + 0 outstanding"},
		"a round under way":          {outstanding, nil, "2 planned = 0 done + 1 failed + 1 outstanding"},
		"nothing published yet":      {func(h *job.Inventory) { *h = job.Inventory{Manifest: h.Manifest} }, []audit.Discrepancy{{Kind: audit.NothingHeld, UID: 1}, {Kind: audit.NothingHeld, UID: 2}}, ""},
		"record alone":               {func(h *job.Inventory) { outstanding(h); h.Messages = nil }, []audit.Discrepancy{{Kind: audit.RecordAlone, UID: 1, Detail: "running"}}, "2 planned = 0 done + 1 failed + 1 outstanding, which does NOT hold"},
		"message alone":              {func(h *job.Inventory) { outstanding(h); h.Records = h.Records[1:] }, []audit.Discrepancy{{Kind: audit.Orphan, UID: 1, Detail: "r1.1.c", Harmless: true}, {Kind: audit.MessageAlone, UID: 1}}, ""},
		"deliveries used up":         {func(h *job.Inventory) { outstanding(h); h.Stuck = []int{1} }, []audit.Discrepancy{{Kind: audit.DeliveriesUsedUp, UID: 1, Detail: "running, delivered 0 times"}}, ""},
		"queued twice":               {func(h *job.Inventory) { outstanding(h); h.Messages[1] = 2 }, []audit.Discrepancy{{Kind: audit.QueuedTwice, UID: 1, Detail: "2 times", Harmless: true}}, ""},
		"message left":               {func(h *job.Inventory) { h.Messages[1] = 1 }, []audit.Discrepancy{{Kind: audit.LeftMessage, UID: 1, Detail: "done", Harmless: true}}, ""},
		"orphan":                     {func(h *job.Inventory) { h.Evaluations = append(h.Evaluations, "r1.2.lost") }, []audit.Discrepancy{{Kind: audit.Orphan, UID: 2, Detail: "r1.2.lost", Harmless: true}}, ""},
		"about to be named":          {func(h *job.Inventory) { outstanding(h) }, nil, ""},
		"evaluation gone":            {func(h *job.Inventory) { h.Evaluations = nil }, []audit.Discrepancy{{Kind: audit.EvaluationMissing, UID: 1, Detail: "r1.1.c"}}, ""},
		"letter gone":                {func(h *job.Inventory) { h.Letters = nil }, []audit.Discrepancy{{Kind: audit.LetterMissing, UID: 2}}, ""},
		"letter not kept any more":   {func(h *job.Inventory) { h.Letters = nil; h.Records[1].Failure.At = h.At.Add(-31 * 24 * time.Hour) }, []audit.Discrepancy{{Kind: audit.LetterMissing, UID: 2, Detail: "kept for 30 days", Harmless: true}}, ""},
		"letter of another replay":   {func(h *job.Inventory) { h.Records[1].Replay = 1 }, []audit.Discrepancy{{Kind: audit.LetterMissing, UID: 2}}, ""},
		"letter of a job not dead":   {func(h *job.Inventory) { h.Letters = append(h.Letters, job.DeadLetter{UID: 1}) }, []audit.Discrepancy{{Kind: audit.LetterAlone, UID: 1, Detail: "done", Harmless: true}}, ""},
		"a record too many":          {func(h *job.Inventory) { h.Records = append(h.Records, job.Record{UID: 9, Phase: job.Planned}) }, []audit.Discrepancy{{Kind: audit.UnplannedRecord, UID: 9, Detail: "planned"}}, ""},
		"an unreadable one too many": {func(h *job.Inventory) { h.Damage = []job.Damage{{Where: job.BucketRecords, UID: 9, Error: "x"}} }, []audit.Discrepancy{{Kind: audit.UnplannedRecord, UID: 9, Detail: "x"}}, ""},
		"a message too many":         {func(h *job.Inventory) { h.Messages[9] = 1 }, []audit.Discrepancy{{Kind: audit.UnplannedMessage, UID: 9}}, ""},
		"concluded too early":        {func(h *job.Inventory) { o, l := h.Outcomes, h.Latest; outstanding(h); h.Outcomes, h.Latest = o, l }, []audit.Discrepancy{{Kind: audit.OutcomeTooEarly, UID: -1, Detail: "1 of them"}}, ""},
		"a replay under way": {func(h *job.Inventory) {
			o, l := h.Outcomes, h.Latest
			outstanding(h)
			h.Outcomes = o
			h.Latest = l
			h.Replays = []job.Replay{{Number: 1}}
		}, []audit.Discrepancy{{Kind: audit.ReplayBrokenOff, UID: -1, Detail: "replay 1", Harmless: true}}, ""},
		"a plan not readable": {func(h *job.Inventory) { h.Outcomes, h.Replays = []int{1, 2}, []job.Replay{{Number: 1, Damage: "x"}} }, []audit.Discrepancy{{Kind: audit.PlanUnreadable, UID: -1, Detail: "replay 1: x"}}, ""},
		"an outcome that disagrees": {func(h *job.Inventory) {
			h.Records[1].Phase = job.Done
			h.Records[1].Evaluation = "r1.1.c"
			h.Letters = nil
		}, []audit.Discrepancy{{Kind: audit.OutcomeDisagrees, UID: -1, Detail: "it says 2 planned, 1 done, 1 failed"}, {Kind: audit.OutcomeDisagrees, UID: 2, Detail: "it is dead there, and done by its record"}}, ""},
		"a revision too few":      {func(h *job.Inventory) { h.Outcomes = []int{2} }, []audit.Discrepancy{{Kind: audit.RevisionMissing, UID: -1, Detail: "revision 2 comes after 0 others"}}, ""},
		"an outcome not readable": {func(h *job.Inventory) { h.Latest = []byte(`{"version": 99}`) }, []audit.Discrepancy{{Kind: audit.OutcomeUnreadable, UID: -1, Detail: "outcome of version 99, this build reads 1 to 1"}}, ""},
		"a record not readable": {func(h *job.Inventory) {
			outstanding(h)
			h.Records = h.Records[1:]
			h.Damage = []job.Damage{{Where: job.BucketRecords, UID: 1, Error: "x"}}
			h.Evaluations = nil
		}, []audit.Discrepancy{{Kind: audit.RecordDamaged, UID: 1, Detail: "x"}}, "2 planned = 0 done + 1 failed + 1 outstanding, which does NOT hold"},
		"the last outcome damaged": {func(h *job.Inventory) {
			h.Latest, h.Damage = nil, []job.Damage{{Where: job.BucketRounds, UID: -1, Error: "x"}}
		}, []audit.Discrepancy{{Kind: audit.OutcomeUnreadable, UID: -1, Detail: "x"}}, ""},
		"a letter not readable":        {func(h *job.Inventory) { h.Damage = []job.Damage{{Where: job.StreamDead, UID: 2, Error: "x"}} }, []audit.Discrepancy{{Kind: audit.LetterDamaged, UID: 2, Detail: "x", Harmless: true}}, ""},
		"a key of rubbish":             {func(h *job.Inventory) { h.Damage = []job.Damage{{Where: job.BucketRecords, Key: "r1.abc", UID: -1}} }, []audit.Discrepancy{{Kind: audit.StrayKey, UID: -1, Detail: "r1.abc in RECORDS", Harmless: true}}, ""},
		"no manifest":                  {func(h *job.Inventory) { h.Manifest, h.Lost = job.Manifest{}, "x" }, []audit.Discrepancy{{Kind: audit.ManifestLost, UID: -1, Detail: "x"}}, "2 planned = 1 done + 1 failed + 0 outstanding, which does NOT hold"},
		"the evaluations as they were": {func(h *job.Inventory) { h.Digests = map[string]string{"r1.1.c": "d1"} }, nil, ""},
		"an evaluation changed":        {func(h *job.Inventory) { h.Digests = map[string]string{"r1.1.c": "d2"} }, []audit.Discrepancy{{Kind: audit.EvaluationChanged, UID: 1, Detail: "r1.1.c has another digest"}}, ""},
		"an evaluation not readable":   {func(h *job.Inventory) { h.Digests = map[string]string{} }, []audit.Discrepancy{{Kind: audit.EvaluationChanged, UID: 1, Detail: "r1.1.c cannot be read"}}, ""},
		"an evaluation of another claim": {func(h *job.Inventory) {
			h.Digests, h.Records[0].Evaluation = map[string]string{"r1.1.e": "d1"}, "r1.1.e"
			h.Evaluations = []string{"r1.1.e"}
		}, []audit.Discrepancy{{Kind: audit.EvaluationChanged, UID: 1, Detail: `it was made of r1.1.c, and "r1.1.e" stands`}}, ""},
	} {
		held := whole(t)
		c.change(&held)
		got := audit.Of(held)
		if c.want == nil {
			c.want = []audit.Discrepancy{}
		}
		if diff := cmp.Diff(c.want, got.Discrepancies); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		holds := true
		for _, d := range c.want {
			holds = holds && d.Harmless
		}
		if got.Holds() != holds {
			t.Errorf("%s: holds is %v, want %v", name, got.Holds(), holds)
		}
		if c.says != "" && got.String() != c.says {
			t.Errorf("%s: got %q, want %q", name, got.String(), c.says)
		}
	}
}
