package shadow_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/shadow"
	"mirrorfleet/shared/scoring/tokens"
)

// The same inputs at the same instant give equal figures, and no cause.
func TestEqual(t *testing.T) {
	t.Parallel()
	r := compare(t, fleet(t), fleet(t).recorded(t, 0))
	earns := false
	for _, m := range r.Miners {
		if m.Verdict != shadow.Equal || len(m.Differences)+len(m.Causes) > 0 {
			t.Errorf("miner %d: %+v, want it equal", m.UID, m)
		}
		earns = earns || m.UID > 0 && *m.Ours > 0
	}
	if len(r.Miners) != 7 || len(r.Causes) > 0 || r.Wrong() || r.OtherMiners() || !earns {
		t.Errorf("%d miners, %v, wrong: %v, somebody earns: %v", len(r.Miners), r.Causes, r.Wrong(), earns)
	}
}

// A validator scores each pull request at another instant, over hours. Time explains that, to
// the last bit; a decay that no instant of its scoring gives is another rule.
func TestTimeAlone(t *testing.T) {
	t.Parallel()
	theirs := fleet(t)
	theirs.issuesAt = asOf.Add(7 * time.Hour)
	theirs.at = func(number int) time.Time { return asOf.Add(time.Duration(number*37%360) * time.Minute) }
	record := theirs.recorded(t, 7*time.Hour)
	r := compare(t, fleet(t), record)
	for _, m := range r.Miners {
		if m.UID > 0 && m.UID < 6 && m.Verdict != shadow.Time {
			t.Errorf("miner %d: %+v, want time", m.UID, m)
		}
	}
	if r.Wrong() {
		t.Error("it is wrong, want nothing to put right")
	}
	record.Pulls.Began = record.Pulls.Ended.Add(-time.Second)
	r = compare(t, fleet(t), record)
	at := slices.IndexFunc(r.Miners, func(m shadow.Judged) bool { return m.Verdict == shadow.Rule })
	if at < 0 || r.Miners[at].Rule != "time decay" || !r.Wrong() {
		t.Errorf("with a decay outside its scoring: %v, want a rule, time decay", verdicts(&r))
	}
}

// What has left the windows by the validator's instant is of time, too.
func TestTheWindowMovesOn(t *testing.T) {
	t.Parallel()
	ours, theirs := fleet(t), fleet(t)
	e := ours.in.Evaluations[2]
	old := e.Received[0]
	old.Number = 299
	old.CreatedAt, old.MergedAt = asOf.Add(-721*time.Hour), asOf.Add(-30*24*time.Hour+time.Minute)
	e.Received = append(e.Received, old)
	ours.in.Evaluations[2] = e
	theirs.issuesAt = asOf.Add(time.Hour)
	theirs.at = func(int) time.Time { return theirs.issuesAt }
	if r := compare(t, ours, theirs.recorded(t, 0)); verdicts(&r)[2] != shadow.Time {
		t.Errorf("%+v, want time", r.Miners[2])
	}
}

// mine changes an evaluation of one miner of the validator's world.
func mine(uid int, change func(e *scoring.Evaluation)) func(w *world) {
	return func(w *world) {
		e := w.in.Evaluations[uid]
		e.Received = slices.Clone(e.Received)
		answers := *e.Issues
		answers.Listed = slices.Clone(answers.Listed)
		e.Issues = &answers
		change(&e)
		w.in.Evaluations[uid] = e
	}
}

// Each kind of input that differs is named for the miner whose it is. Time has moved on, too.
func TestEachInputIsNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change  func(w *world)
		kind    shadow.Kind
		what    string
		setting bool
	}{
		"a label":              {mine(3, func(e *scoring.Evaluation) { e.Received[1].Labels[0].Name = "bug" }), shadow.KindPull, "acme/r1#302: labels", false},
		"a label's setter":     {mine(3, func(e *scoring.Evaluation) { e.Received[1].Labels = []scoring.Label{{Name: "docs"}} }), shadow.KindPull, "acme/r1#302: labels", false},
		"a state":              {mine(3, func(e *scoring.Evaluation) { e.Received[9].State = scoring.Closed }), shadow.KindPull, "acme/r1#310: state", false},
		"a review":             {mine(3, func(e *scoring.Evaluation) { e.Received[0].MaintainerChangesRequestedCount = 2 }), shadow.KindPull, "acme/r1#301: maintainer_changes", false},
		"an approval":          {mine(3, func(e *scoring.Evaluation) { e.Received[7].ApprovedCount = 1 }), shadow.KindPull, "acme/r1#308: approved_count", false},
		"a linked issue":       {mine(3, func(e *scoring.Evaluation) { e.Received[8].LinkedIssues = nil }), shadow.KindPull, "acme/r1#309: linked_issues", false},
		"one it alone lists":   {mine(3, func(e *scoring.Evaluation) { e.Received = append(e.Received, another(e.Received[0])) }), shadow.KindPull, "acme/r1#399", false},
		"one ours alone lists": {mine(3, func(e *scoring.Evaluation) { e.Received = e.Received[1:] }), shadow.KindPull, "acme/r1#301", false},
		"a failed list":        {mine(3, func(e *scoring.Evaluation) { e.FetchFailed = true }), shadow.KindStored, "pull requests", false},
		"an issue":             {mine(3, func(e *scoring.Evaluation) { e.Issues.Listed = e.Issues.Listed[1:] }), shadow.KindIssue, "acme/r1#5003", false},
		"an issue's state":     {mine(3, func(e *scoring.Evaluation) { e.Issues.Listed[0].StateReason = "NOT_PLANNED" }), shadow.KindIssue, "acme/r1#5003: state_reason", false},
		"open issues":          {mine(3, func(e *scoring.Evaluation) { e.Issues.Open = map[string]int{"acme/r1": 9} }), shadow.KindOpenIssues, "acme/r1", false},
		"failed issues":        {mine(3, func(e *scoring.Evaluation) { e.Issues = nil }), shadow.KindIssue, "issues", false},
		"a token": {func(w *world) {
			w.in.Miners = slices.Clone(w.in.Miners)
			w.in.Miners[3].Token = input.TokenRefused
			delete(w.in.Evaluations, 3)
		}, shadow.KindMiner, "takes part", false},
		"a hotkey": {func(w *world) {
			w.in.Miners = slices.Clone(w.in.Miners)
			w.in.Miners[3].Hotkey = "new"
			w.in.Miners[3].Token = input.TokenStale
			delete(w.in.Evaluations, 3)
		}, shadow.KindMiner, "hotkey", false},
		"token scores": {func(w *world) {
			w.figures = func(pr *scoring.PullRequest) *tokens.Figures {
				if pr.Number == 303 {
					return figuresOf(&scoring.PullRequest{Number: 304})
				}
				return figuresOf(pr)
			}
		}, shadow.KindTokens, "acme/r1#303", true},
		"files": {func(w *world) {
			w.figures = func(pr *scoring.PullRequest) *tokens.Figures {
				if pr.Number == 303 {
					return nil
				}
				return figuresOf(pr)
			}
		}, shadow.KindFiles, "acme/r1#303: files", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			theirs := fleet(t)
			theirs.issuesAt = asOf.Add(2 * time.Hour)
			theirs.at = func(int) time.Time { return theirs.issuesAt }
			c.change(theirs)
			r := compare(t, fleet(t), theirs.recorded(t, 0))
			got := r.Miners[3]
			named := slices.ContainsFunc(got.Causes, func(of shadow.Cause) bool { return of.Kind == c.kind && strings.HasPrefix(of.What, c.what) })
			if got.Verdict != shadow.Inputs || !named || r.Wrong() != c.setting || r.OtherMiners() != (c.kind == shadow.KindMiner) {
				t.Errorf("%s by %v (wrong: %v), want inputs by %s %s\nunexplained: %v", got.Verdict, got.Causes, r.Wrong(), c.kind, c.what, got.Unexplained)
			}
			for _, m := range r.Miners {
				if m.UID != 3 && (len(m.Causes) > 0 || m.Verdict == shadow.Inputs || m.Verdict == shadow.Rule) {
					t.Errorf("miner %d: %s by %v, %v; want no cause of its own", m.UID, m.Verdict, m.Causes, m.Unexplained)
				}
			}
		})
	}
}

func another(pr scoring.PullRequest) scoring.PullRequest {
	pr.Number += 98
	return pr
}

// What differs for the whole round is named once.
func TestTheWholeRoundsInputs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		world  func(w *world)
		record func(r *shadow.Record)
		kind   shadow.Kind
		want   string
	}{
		"a setting": {
			world: func(w *world) { w.registry = strings.Replace(registry, `"bug*": 1.5, "docs": 0.5`, `"docs": 0.75`, 1) },
			kind:  shadow.KindRegistry, want: "acme/r0 label_multipliers",
		},
		"a repository": {
			world: func(w *world) { w.registry = `{"acme/r0": ` + entry + `}` },
			kind:  shadow.KindRegistry, want: "acme/r1",
		},
		"maintainers": {
			world: func(w *world) { w.in.Maintainers = nil },
			kind:  shadow.KindMaintainers, want: "acme/r0",
		},
		"weights": {
			record: func(r *shadow.Record) {
				r.Tokens = []byte(`{"structural_bonus": {"if": 2}, "leaf_tokens": {"identifier": 0.10}}`)
			},
			kind: shadow.KindWeights, want: "token_weights.json: structural_bonus.if",
		},
		"a longer window": {
			record: func(r *shadow.Record) { r.Windows["pull requests"]["acme/r1"] += 5 },
			kind:   shadow.KindWindow, want: "pull requests of acme/r1",
		},
		"a repository that it does not ask for": {
			record: func(r *shadow.Record) { delete(r.Windows["issues"], "acme/r0") },
			kind:   shadow.KindWindow, want: "issues of acme/r0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			theirs := fleet(t)
			if c.world != nil {
				c.world(theirs)
			}
			record := theirs.recorded(t, 0)
			if c.record != nil {
				c.record(&record)
			}
			r := compare(t, fleet(t), record)
			if len(r.Causes) == 0 || r.Causes[0].Kind != c.kind || !strings.HasPrefix(r.Causes[0].What, c.want) {
				t.Errorf("%v, want %s %s", r.Causes, c.kind, c.want)
			}
			if wrong := c.kind != shadow.KindMaintainers; r.Wrong() != wrong {
				t.Errorf("wrong: %v, want %v", r.Wrong(), wrong)
			}
			for _, m := range r.Miners {
				if m.Verdict == shadow.Rule {
					t.Errorf("miner %d: %v, want every figure explained", m.UID, m.Unexplained)
				}
			}
		})
	}
}

// From the same inputs another figure is another rule's, named by the first one that differs.
func TestARuleThatDiffers(t *testing.T) {
	t.Parallel()
	for rule, change := range map[string]func(m *shadow.Miner){
		"label":              func(m *shadow.Miner) { m.PullRequests[1].LabelMultiplier = 0.75 },
		"time decay":         func(m *shadow.Miner) { m.PullRequests[1].TimeDecayMultiplier *= 1.0000000000000002 },
		"base score":         func(m *shadow.Miner) { m.PullRequests[1].BaseScore++ },
		"linked issue":       func(m *shadow.Miner) { m.PullRequests[8].IssueMultiplier = 1 },
		"open pull requests": func(m *shadow.Miner) { m.PullRequests[1].OpenPRSpamMultiplier = 0 },
		"merge gate":         func(m *shadow.Miner) { m.PullRequests = m.PullRequests[1:] },
		"sums of a miner":    func(m *shadow.Miner) { m.TotalScore++ },
		"eligibility":        func(m *shadow.Miner) { m.Repositories[0].Eligible = false },
		"canonical owner":    func(m *shadow.Miner) { m.ScoredIssues = nil },
		"solving score":      func(m *shadow.Miner) { m.ScoredIssues[0].BaseScore++ },
		"issue earnings":     func(m *shadow.Miner) { m.IssueDiscoveryScore++ },
		"open issues":        func(m *shadow.Miner) { m.TotalOpenIssues++ },
	} {
		record := fleet(t).recorded(t, 0)
		change(&record.Miners[3])
		r := compare(t, fleet(t), record)
		if got := r.Miners[3]; got.Verdict != shadow.Rule || got.Rule != rule || len(got.Unexplained) == 0 || !r.Wrong() {
			t.Errorf("%s: %s %q %v %v, want a rule", rule, got.Verdict, got.Rule, got.Unexplained, got.Causes)
		}
	}
	record := fleet(t).recorded(t, 0)
	record.Rewards[3] += 1e-17
	record.Rewards[2] *= 1.0000000000000002
	if r := compare(t, fleet(t), record); r.Miners[2].Rule != "rewards" {
		t.Errorf("a reward's last bit: %+v, want a rule", r.Miners[2])
	}
}

// A round in which all fell back on what each side had stored is compared as far as it goes.
func TestStoredEvaluationsOfEachSide(t *testing.T) {
	t.Parallel()
	stored := func(w *world, score float64) {
		mine(3, func(e *scoring.Evaluation) { e.FetchFailed = true })(w)
		repo := must.Get(input.ParseRegistry([]byte(registry)))(t)
		of, _ := repo.Repository("acme/r1")
		pr := w.in.Evaluations[3].Received[0]
		kept := scoring.Score(pr, of, figuresOf(&pr), asOf.Add(-2*time.Hour))
		kept.BaseScore = score
		w.in.Stored[3] = scoring.StoredEvaluation{UID: 3, Hotkey: "hk3", GitHubID: "1003", AsOf: asOf.Add(-2 * time.Hour), Merged: []scoring.ScoredPullRequest{kept}}
	}
	ours, theirs := fleet(t), fleet(t)
	stored(ours, 5)
	stored(theirs, 6)
	r := compare(t, ours, theirs.recorded(t, 0))
	if got := r.Miners[3]; got.Verdict != shadow.Inputs || got.Causes[0].Kind != shadow.KindStored {
		t.Errorf("%s by %v, unexplained %v; want inputs, stored", got.Verdict, got.Causes, got.Unexplained)
	}
}

// Miners of one side alone are named, and do not make the others differ by a rule.
func TestMinersOfOneSide(t *testing.T) {
	t.Parallel()
	ours, theirs := fleet(t), fleet(t)
	ours.in.Miners = ours.in.Miners[:5]
	delete(ours.in.Evaluations, 5)
	theirs.in.Miners = slices.Delete(slices.Clone(theirs.in.Miners), 2, 3)
	delete(theirs.in.Evaluations, 2)
	r := compare(t, ours, theirs.recorded(t, 0))
	if got := verdicts(&r); got[2] != shadow.OursAlone || got[5] != shadow.TheirAlone || got[1] == shadow.Rule || got[3] == shadow.Rule {
		t.Errorf("%v, want 2 of ours alone, 5 of the validator alone, and no rule", got)
	}
	if r.Wrong() || !r.OtherMiners() {
		t.Errorf("wrong: %v, other miners: %v; want other miners alone", r.Wrong(), r.OtherMiners())
	}
}

// Another hotkey moves no figure, and the reward would go to somebody else.
func TestAnotherHotkeyWithEqualFigures(t *testing.T) {
	t.Parallel()
	record := fleet(t).recorded(t, 0)
	record.Miners[3].Hotkey = "another"
	r := compare(t, fleet(t), record)
	if m := &r.Miners[3]; m.Verdict != shadow.Equal || len(m.Causes) != 1 || m.Causes[0].Kind != shadow.KindMiner || !r.OtherMiners() {
		t.Errorf("%+v, other miners: %v; want it equal with a hotkey that differs", m, r.OtherMiners())
	}
}

// Files that the validator could not fetch explain the figures of their issue, and nobody's
// reward beyond what they have moved.
func TestFilesThatAreLackingExcuseNoReward(t *testing.T) {
	t.Parallel()
	theirs := fleet(t)
	theirs.lacks = 9003
	record := theirs.recorded(t, 0)
	record.FilesLacking = []string{"acme/r1#9003"}
	r := compare(t, fleet(t), record)
	if got := r.Miners[3]; got.Verdict != shadow.Inputs || r.Wrong() {
		t.Fatalf("%+v, want its lacking files to explain it", got)
	}
	record.Rewards[2] *= 1.0000000000000002
	r = compare(t, fleet(t), record)
	if got := r.Miners[2]; got.Verdict != shadow.Rule || got.Rule != "rewards" || !r.Wrong() {
		t.Errorf("%s %q: want a rule, rewards", got.Verdict, got.Rule)
	}
}

// A file that is no whole record is refused, and so is one of something else.
func TestWhatIsNoRecord(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want string
	}{
		"nothing":            {"", "unexpected end"},
		"half":               {`{"format": "mirrorfleet-validator-round", "vers`, "unexpected end"},
		"half of an archive": {"\x1f\x8b\x08\x00\x00", "unpacking it"},
		"another file":       {`{"round": "20260618t185400z-0a1b2c"}`, `its format is ""`},
		"a later version":    {`{"format": "mirrorfleet-validator-round", "version": 2}`, "its version is 2, and this build reads 1 to 1"},
		"no miners":          {`{"format": "mirrorfleet-validator-round", "version": 1}`, "no miners"},
	} {
		if _, err := shadow.Decode(t.Context(), []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		change func(r *shadow.Record)
		want   string
	}{
		"no reward":      {func(r *shadow.Record) { delete(r.Rewards, 3) }, "miner 3 has no reward"},
		"a reward more":  {func(r *shadow.Record) { r.Rewards[99] = 1 }, "8 rewards of 7 miners"},
		"a miner twice":  {func(r *shadow.Record) { r.Miners = append(r.Miners, r.Miners[3]) }, "miner 3 is in it twice"},
		"no instants":    {func(r *shadow.Record) { r.Pulls = shadow.Span{} }, "its pulls began at never"},
		"a bad registry": {func(r *shadow.Record) { r.Registry = []byte(`{"acme": 1}`) }, "its registry"},
	} {
		record := fleet(t).recorded(t, 0)
		c.change(&record)
		if _, err := shadow.Decode(t.Context(), must.Get(json.Marshal(record))(t)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		change func(w *world)
		want   string
	}{
		"another subnet": {func(w *world) {
			for i := range w.in.Miners {
				w.in.Miners[i].Hotkey = fmt.Sprint("foreign", i)
			}
		}, "another subnet or network"},
		"another registry": {func(w *world) { w.registry = strings.ReplaceAll(registry, "acme", "other") }, "none of the round's repositories"},
	} {
		theirs := fleet(t)
		c.change(theirs)
		record := read(t, theirs.recorded(t, 0))
		in, out := fleet(t).conclude(t)
		if _, err := shadow.Compare(t.Context(), shadow.Ours{In: in, Out: out}, record); !errors.Is(err, shadow.ErrForeign) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want it refused: %q", name, err, c.want)
		}
	}
}
