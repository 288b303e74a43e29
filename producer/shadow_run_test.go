package main_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web/webtest"
	"mirrorfleet/shared/command/commandtest"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/shadow"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/shared/terminal"
)

// recordOf is a validator's record of the round of storeKept, which it has scored some time
// later and by our rules.
func recordOf(t *testing.T, bus *jobstream.Bus, later time.Duration, change func(uid int, pulls []scoring.PullRequest)) *shadow.Record {
	t.Helper()
	m := must.Get(bus.Rounds.Manifest(t.Context(), keptRound))(t)
	r := outcomeOf(t, bus, keptRound)
	at := shownAsOf.Add(later)
	in := scoring.RoundInput{
		AsOf: at, Miners: m.Miners, Registry: must.Get(input.ParseRegistry(m.Registry))(t), Evaluations: map[int]scoring.Evaluation{},
	}
	record := &shadow.Record{
		Format: shadow.Format, Version: shadow.Version, Validator: "5.0.0", Mirror: m.Mirror, Registry: m.Registry, Languages: m.Languages, Tokens: m.Tokens,
		Pulls: shadow.Span{Began: at, Ended: at}, Issues: shadow.Span{Began: at, Ended: at}, Rewards: map[int]float64{},
	}
	for _, part := range r.Evaluations {
		e := must.Get(bus.Evaluations.Load(t.Context(), part.Key))(t).Evaluation
		if change != nil {
			change(part.UID, e.Received)
		}
		figures := map[int]*tokens.Figures{}
		for _, p := range append(e.Merged, e.Open...) {
			figures[p.Number] = p.Tokens
		}
		loaded := scoring.Load(e.Received, in.Registry)
		score := func(pulls []scoring.PullRequest) (scored []scoring.ScoredPullRequest) {
			for i := range pulls {
				repo, _ := in.Registry.Repository(pulls[i].Repository)
				scored = append(scored, scoring.Score(pulls[i], repo, figures[pulls[i].Number], at))
			}
			return scored
		}
		e.Merged = score(loaded.Merged)
		e.Open = score(loaded.Open)
		in.Evaluations[part.UID] = e
	}
	out := scoring.Conclude(in)
	for i := range out.Miners {
		of := &out.Miners[i]
		miner := shadow.Miner{
			UID: of.UID, Hotkey: of.Hotkey, GitHubID: of.GitHubID, PullFigures: of.PullFigures, IssueFigures: of.IssueFigures,
			Repositories: of.Repositories, Received: in.Evaluations[of.UID].Received, Listed: []scoring.Issue{}, Open: map[string]int{},
		}
		for _, p := range of.PullRequests {
			miner.PullRequests = append(miner.PullRequests, shadow.Pull{PullRequestOutcome: p, Files: new(1)})
		}
		record.Miners = append(record.Miners, miner)
		record.Rewards[of.UID] = out.Rewards[i].Reward
	}
	return record
}

// writeRecord writes a record as the adapter does.
func writeRecord(t *testing.T, dir, name string, record *shadow.Record) string {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	must.Do(t, json.NewEncoder(w).Encode(record))
	must.Do(t, w.Close())
	file := filepath.Join(dir, name)
	must.Do(t, os.WriteFile(file, packed.Bytes(), 0o600))
	return file
}

// Each page as it was when somebody read it and found it right, with its JSON as described.
func TestShadowPages(t *testing.T) {
	t.Parallel()
	url := jobstreamtest.Start(t).NATSURL()
	bus, _ := jobstreamtest.Open(t, url, jobstream.Config{})
	storeKept(t, bus)
	ruled := recordOf(t, bus, 0, nil)
	ruled.Miners[1].PullRequests[0].LabelMultiplier = 0.75
	hotkey := recordOf(t, bus, 0, nil)
	hotkey.Miners[1].Hotkey = "another"
	for _, c := range []struct {
		name   string
		record *shadow.Record
		code   int
		all    bool
	}{
		{"shadow-equal", recordOf(t, bus, 0, nil), 0, true},
		{"shadow-time", recordOf(t, bus, -4*time.Hour, nil), 0, false},
		{"shadow-inputs", recordOf(t, bus, -4*time.Hour, func(uid int, pulls []scoring.PullRequest) {
			if uid == 5 {
				pulls[0].Labels = append(pulls[0].Labels, scoring.Label{Name: "bug\x1b[2J of a stranger's very long name, which no line has room for", ActorAssociation: "OWNER"})
			}
		}), 0, false},
		{"shadow-rule", ruled, 1, false},
		{"shadow-miners", hotkey, 1, false},
	} {
		dir := t.TempDir()
		writeRecord(t, dir, "validator-20260604t000000000000z.json.gz", c.record)
		args := []string{"shadow", "latest", dir, "--nats", url}
		if c.all {
			args = append(args, "--all")
		}
		got, stderr, code := inProcess(t, terminal.Style{Width: 80}, args...)
		if code != c.code {
			t.Errorf("%s: exit %d, want %d\n%s", c.name, code, c.code, stderr)
		}
		for line := range strings.SplitSeq(got, "\n") {
			if n := utf8.RuneCountInString(line); n > 80 && !strings.Contains(line, dir) || strings.Contains(line, "\x1b") {
				t.Errorf("%s: %d characters: %q", c.name, n, line)
			}
		}
		commandtest.Golden(t, filepath.Join("testdata", "lists", c.name+".txt"), unfolded(got, dir))
		got, _, _ = inProcess(t, terminal.Style{}, append(args, "--json")...)
		if err := webtest.Printed("Shadow", got); err != nil {
			t.Errorf("%s: %v\n%s", c.name, err, got)
		}
	}
}

// unfolded is a page without the folder, which has another name each time and is folded at
// other places.
func unfolded(page, dir string) string {
	begin, end := strings.Index(page, dir[:8]), strings.Index(page, "json.gz")
	if begin < 0 || end < begin {
		return page
	}
	return page[:begin] + "DIR/validator." + page[end:]
}

// What cannot be compared is named beside what can be; wrong usage compares nothing.
func TestShadowRefuses(t *testing.T) {
	t.Parallel()
	url := jobstreamtest.Start(t).NATSURL()
	bus, _ := jobstreamtest.Open(t, url, jobstream.Config{})
	storeKept(t, bus)
	storeRound(t, bus)
	dir, empty := t.TempDir(), t.TempDir()
	other := recordOf(t, bus, 0, nil)
	for i := range other.Miners {
		other.Miners[i].Hotkey = "foreign"
	}
	half := filepath.Join(dir, "validator-1z.json.gz")
	whole := writeRecord(t, dir, "validator-2z.json.gz", recordOf(t, bus, 0, nil))
	data := must.Get(os.ReadFile(whole))(t)
	must.Do(t, os.WriteFile(half, data[:len(data)/2], 0o600))
	foreign := writeRecord(t, empty, "other-subnet.json.gz", other)
	long := writeRecord(t, empty, "long-ago.json.gz", recordOf(t, bus, -50*time.Hour, nil))
	for _, c := range []struct {
		name, want string
		args       []string
	}{
		{"nothing", "which records", nil},
		{"no file", "which records", []string{keptRound}},
		{"no such file", "no such file", []string{keptRound, "absent.json.gz"}},
		{"no records", "has no records", []string{keptRound, empty}},
		{"no such round", "r9", []string{"r9", whole}},
		{"a negative number", "--newest -1", []string{whole, "--newest", "-1"}},
	} {
		stdout, stderr, code := inProcess(t, terminal.Style{}, append(append([]string{"shadow"}, c.args...), "--nats", url)...)
		if code != 2 || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit %d saying %q, want 2 with %q and no output", c.name, code, stderr, c.want)
		}
	}
	for _, c := range []struct {
		name, want string
		args       []string
	}{
		{"half a record", "no whole record of a validator's round", []string{dir}},
		{"another subnet's", "it is of another subnet or network", []string{keptRound, foreign}},
		{"another kind of file", "no whole record of a validator's round", []string{keptRound, "shadow_run_test.go"}},
		{"another round's", "the record is of another round", []string{keptRound, long}},
		{"no round near", "the record is of another round", []string{long}},
		{"a round that is not kept whole", "did not keep", []string{shownRound, whole}},
	} {
		stdout, stderr, code := inProcess(t, terminal.Style{}, append(append([]string{"shadow", "--json"}, c.args...), "--nats", url)...)
		var answer view.Shadow
		if err := json.Unmarshal([]byte(stdout), &answer); err != nil || code != 2 || answer.Failed() != 1 || !strings.Contains(answer.Records[0].Error, c.want) {
			t.Errorf("%s: exit %d, %+v, %v; want 2 and %q\n%s", c.name, code, answer, err, c.want, stderr)
		}
		if c.args[0] == dir && (len(answer.Records) != 2 || answer.Records[1].Round != keptRound || answer.Records[1].Wrong) {
			t.Errorf("beside half a record: %+v, want the whole one compared with the nearest round", answer.Records)
		}
	}
	if _, stderr, code := inProcess(t, terminal.Style{}, "shadow", dir, "--newest", "1", "--nats", url); code != 0 {
		t.Errorf("the newest record alone: exit %d, want 0\n%s", code, stderr)
	}
	ruled := recordOf(t, bus, 0, nil)
	ruled.Miners[1].PullRequests[0].LabelMultiplier = 0.75
	wrong := writeRecord(t, empty, "wrong.json.gz", ruled)
	if stdout, _, code := inProcess(t, terminal.Style{}, "shadow", half, wrong, "--nats", url); code != 1 || !strings.Contains(stdout, "NOT COMPARED") {
		t.Errorf("a rule beside half a record: exit %d, want 1 and both named\n%s", code, stdout)
	}
}

// A file that never ends, or that is too large, is refused and keeps nobody waiting.
func TestShadowReadsNoEndlessFile(t *testing.T) {
	t.Parallel()
	url := jobstreamtest.Start(t).NATSURL()
	bus, _ := jobstreamtest.Open(t, url, jobstream.Config{})
	storeKept(t, bus)
	dir := t.TempDir()
	pipe, large := filepath.Join(dir, "validator-1z.json.gz"), filepath.Join(dir, "validator-2z.json.gz")
	must.Do(t, unix.Mkfifo(pipe, 0o600))
	must.Do(t, os.WriteFile(large, nil, 0o600))
	must.Do(t, os.Truncate(large, shadow.MaxRecord+1))
	for name, want := range map[string]string{pipe: "no regular file", "/dev/zero": "no regular file", large: "more than 128 MB"} {
		stdout, stderr, code := inProcess(t, terminal.Style{}, "shadow", name, "--nats", url)
		if code != 2 || !strings.Contains(stdout, want) {
			t.Errorf("%s: exit %d, want 2 and %q\n%s%s", name, code, want, stdout, stderr)
		}
	}
}
