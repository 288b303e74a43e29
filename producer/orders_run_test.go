package main_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web/webtest"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
)

// A miner's token becomes stale between two turns: its hotkey is another. The metric of
// serve says with that turn that one has fallen out, and the list names it; once the token
// is replaced, nobody has.
func TestAMinerFallsOut(t *testing.T) {
	t.Parallel()
	s := steered(t, 2)
	server := serve(t, nil, s.args...)
	tell := func(turn, fell int) {
		t.Helper()
		concluded(t, s.bus, turn)
		want := fmt.Sprintf("mirrorfleet_round_fell_out %d\n", fell)
		if _, metrics := server.page(t, "/metrics"); !strings.Contains(metrics, want) {
			t.Errorf("turn %d: the metrics do not have %q", turn, want)
		}
		until(t, "it waits", func() bool { return strings.Count(server.log.String(), "waiting for the next turn") >= turn })
	}
	tell(1, 0)
	miner := concluded(t, s.bus, 1).Outcome.Miners[1] // the first is the recycle uid
	write(t, s.inputs.tokens, strings.ReplaceAll(s.inputs.all, fmt.Sprintf("%q", miner.Hotkey), `"a former hotkey"`))
	s.order(t, true, "now")
	tell(2, 1)
	listed := printed[view.Tokens](t, "Tokens", 0, "tokens", "--nats", s.nats)
	at := slices.IndexFunc(listed.Lacking, func(l view.Lacking) bool { return l.UID == miner.UID })
	if at < 0 || !listed.Lacking[at].FellOut || listed.Lacking[at].State != view.TokenStale {
		t.Errorf("%+v, want that miner %d has fallen out", listed, miner.UID)
	}
	write(t, s.inputs.tokens, s.inputs.all)
	s.order(t, true, "now")
	tell(3, 0)
	server.stop(t)
	s.worker.stop()
}

// A round that another process runs is cancelled while its worker is in the middle of jobs:
// each job that is outstanding has a letter of class cancelled with the reason, what was done
// counts, and the worker, which goes on living, commits nothing after. The next turn is a
// whole round, and a done miner of the cancelled one can be run again.
func TestARoundIsCancelledUnderWork(t *testing.T) {
	t.Parallel()
	s := steered(t, 12)
	server := serve(t, nil, s.args...)
	until(t, "jobs are done, and others run", func() bool { return s.phase(t, job.Done) > 0 && s.phase(t, job.Running) > 0 })
	const reason = "the mirror is moved"
	ordered := run(t, "producer", append([]string{"cancel", "latest", "--json", "--reason", reason}, s.servers...)...)
	var c view.Cancel
	if err := json.Unmarshal([]byte(ordered.stdout), &c); err != nil || ordered.code != 0 || webtest.Printed("CancelAnswer", ordered.stdout) != nil {
		t.Fatalf("exit %d, %v\n%s%s", ordered.code, err, ordered.stdout, ordered.stderr)
	}
	if !strings.Contains(ordered.stderr, "waiting until it is carried out") || strings.Contains(ordered.stderr, "standing by") {
		t.Errorf("it says %q, want that it waits, and not that it stands by", ordered.stderr)
	}
	r := concluded(t, s.bus, 1)
	if !c.Whole || len(c.Cancelled) == 0 || c.Outstanding != 0 || r.Round != c.Round || r.Cancelled != len(c.Cancelled) || r.Done+r.Failed != r.Planned {
		t.Errorf("ordered %+v; the outcome has %d cancelled, %d done, %d failed of %d", c, r.Cancelled, r.Done, r.Failed, r.Planned)
	}
	for _, letter := range r.DeadLetters {
		if letter.Class != job.Cancelled || !strings.Contains(letter.Error, reason) || !slices.Contains(c.Cancelled, letter.UID) {
			t.Errorf("letter %+v, want class %s, with the reason, of one of %v", letter, job.Cancelled, c.Cancelled)
		}
	}
	s.order(t, true, "now")
	if next := concluded(t, s.bus, 2); next.Done != next.Planned || next.Cancelled > 0 {
		t.Errorf("the next turn: %d of %d done, %d cancelled", next.Done, next.Planned, next.Cancelled)
	}
	server.stop(t)
	s.worker.stop() // and with it all of its jobs
	for _, uid := range c.Cancelled {
		record, _, err := s.bus.Records.Load(t.Context(), r.Round, uid)
		if must.Do(t, err); record.Phase != job.Failed || record.Evaluation != "" {
			t.Errorf("miner %d: phase %s, evaluation %q; want it failed, and nothing committed", uid, record.Phase, record.Evaluation)
		}
	}
	checkRounds(t, s.bus)
}

// rescoreOne runs a done miner of the last local round again: there is a revision more, of
// which that miner's evaluation alone is new, and no figure differs over the same mirror.
func rescoreOne(t *testing.T, state string) {
	t.Helper()
	local := []string{"--local", "--state", state}
	before := printed[view.Outcome](t, "Outcome", 0, append([]string{"show", "latest"}, local...)...)
	uid := before.Evaluations[len(before.Evaluations)/2].UID
	if e := run(t, "producer", append([]string{"rescore", "latest", "--uid", fmt.Sprint(uid)}, local...)...); e.code != 0 {
		t.Fatalf("a rescore: exit %d\n%s%s", e.code, e.stdout, e.stderr)
	}
	after := printed[view.Outcome](t, "Outcome", 0, append([]string{"show", "latest"}, local...)...)
	if after.Round != before.Round || after.Revision != before.Revision+1 || !after.Audit.Holds() || len(after.Evaluations) != len(before.Evaluations) {
		t.Fatalf("round %s, revision %d, audit %s; want revision %d of %s", after.Round, after.Revision, after.Audit, before.Revision+1, before.Round)
	}
	for i, part := range after.Evaluations {
		if was := before.Evaluations[i]; (part != was) != (part.UID == uid) || part.UID != was.UID {
			t.Errorf("miner %d: evaluation %+v, was %+v; want a new one of miner %d alone", part.UID, part, was, uid)
		}
	}
	if one, two := must.Get(json.Marshal(before.Outcome))(t), must.Get(json.Marshal(after.Outcome))(t); string(one) != string(two) {
		t.Errorf("a rescore over the same mirror has another outcome")
	}
}
