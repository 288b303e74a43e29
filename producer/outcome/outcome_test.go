package outcome_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// stored is an outcome of two miners as it is stored.
func stored(t *testing.T) []byte {
	t.Helper()
	return must.Get(outcome.Result{
		Version: job.Version, Round: "r1", Revision: 1, Planned: 2, Done: 1, Failed: 1,
		DeadLetters: []job.DeadLetter{{Round: "r1", UID: 2, Class: job.Permanent}},
		Outcome: scoring.Outcome{
			Rewards: []scoring.Reward{{UID: 1, Reward: 0.5}},
			Miners:  []scoring.MinerOutcome{{UID: 1}, {UID: 2, Failed: input.NoStoredToken}},
		},
	}.Encode())(t)
}

// An outcome that is streamed is the one that is decoded: the head first, with the
// rewards, then each miner in its turn. What a callback fails with comes back as it is.
func TestStreamReadsWhatDecodeReads(t *testing.T) {
	t.Parallel()
	data := stored(t)
	whole := must.Get(outcome.Decode(data))(t)
	var got outcome.Result
	var miners []scoring.MinerOutcome
	must.Do(t, outcome.Stream(bytes.NewReader(data),
		func(head outcome.Result) error { got = head; return nil },
		func(m *scoring.MinerOutcome) error { miners = append(miners, *m); return nil }))
	got.Outcome.Miners = miners
	if diff := cmp.Diff(whole, got); diff != "" {
		t.Errorf("streamed (-decoded +streamed):\n%s", diff)
	}
	head := must.Get(outcome.ReadHead(bytes.NewReader(data)))(t)
	if head.Round != "r1" || head.Failed != 1 || len(head.DeadLetters) != 1 || len(head.Outcome.Miners) != 0 {
		t.Errorf("the head is %+v, want the failures and no miner", head)
	}
	enough := errors.New("enough")
	err := outcome.Stream(bytes.NewReader(data), func(outcome.Result) error { return nil },
		func(*scoring.MinerOutcome) error { return enough })
	if err != enough { //nolint:errorlint // as it is, not wrapped
		t.Errorf("got %v, want the callback's own error", err)
	}
}

// An outcome of a later version, and one that is cut off, are refused by whoever reads.
func TestUnreadableOutcomesAreRefused(t *testing.T) {
	t.Parallel()
	data := stored(t)
	for name, c := range map[string]struct {
		data              []byte
		decoded, streamed string
	}{
		"a later version": {bytes.Replace(data, []byte(`{"version":1,`), []byte(`{"version":99,`), 1), "version 99", "version 99"},
		"cut off":         {data[:len(data)-3], "unexpected end", "EOF"},
	} {
		_, decoded := outcome.Decode(c.data)
		streamed := outcome.Stream(bytes.NewReader(c.data),
			func(outcome.Result) error { return nil }, func(*scoring.MinerOutcome) error { return nil })
		if streamed == nil || !strings.Contains(streamed.Error(), c.streamed) {
			t.Errorf("%s: streaming gives %v, want it refused", name, streamed)
		}
		if decoded == nil || !strings.Contains(decoded.Error(), c.decoded) {
			t.Errorf("%s: decoding gives %v, want it refused", name, decoded)
		}
	}
}
