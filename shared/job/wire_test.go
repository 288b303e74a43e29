package job_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
)

func aJob() job.Job {
	return job.Job{Version: job.Version, Round: "2025-06-01t12", UID: 7, Hotkey: "5F", GitHubID: "42", AsOf: at, Replay: 2}
}

func decodeAgain(t *testing.T, r job.Record) job.Record {
	t.Helper()
	data := must.Get(json.Marshal(r))(t)
	got, err := job.DecodeRecord(data)
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return got
}

func TestJobReadsBack(t *testing.T) {
	t.Parallel()
	data := must.Get(aJob().Encode())(t)
	got, err := job.Decode(data)
	if diff := cmp.Diff(aJob(), got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

// TestUnreadableJobs: each fault alone makes a message dead at once, and the
// error says what is wrong.
func TestUnreadableJobs(t *testing.T) {
	t.Parallel()
	with := func(change func(*job.Job)) string {
		j := aJob()
		change(&j)
		data := must.Get(json.Marshal(j))(t)
		return string(data)
	}
	for want, data := range map[string]string{
		"unexpected end":     "",
		"invalid character":  "not json",
		"cannot unmarshal":   `"text"`,
		"after top-level":    with(func(*job.Job) {}) + "{}",
		"version 0":          with(func(j *job.Job) { j.Version = 0 }),
		"version 2":          with(func(j *job.Job) { j.Version = job.Version + 1 }),
		`round ""`:           with(func(j *job.Job) { j.Round = "" }),
		`round "a.b"`:        with(func(j *job.Job) { j.Round = "a.b" }),
		"uid -1":             with(func(j *job.Job) { j.UID = -1 }),
		"no github_id":       with(func(j *job.Job) { j.GitHubID = "" }),
		"no as_of":           with(func(j *job.Job) { j.AsOf = time.Time{} }),
		"replay -1":          with(func(j *job.Job) { j.Replay = -1 }),
		"cannot unmarshal n": `{"version":1,"uid":1e99}`,
	} {
		_, err := job.Decode([]byte(data))
		if !errors.Is(err, job.ErrUnreadable) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want ErrUnreadable with %q", data, err, want)
		}
		if job.ClassOf(err) != job.Permanent {
			t.Errorf("%s: class %s, want permanent", data, job.ClassOf(err))
		}
	}
}

// FuzzDecode: no message panics, and what is read as a job is one that can be
// published again under the same name.
func FuzzDecode(f *testing.F) {
	data := must.Get(aJob().Encode())(f)
	f.Add(data)
	f.Add([]byte(`{"version":1,"round":"a","uid":0,"github_id":"1","as_of":"2025-01-01T00:00:00+02:00"}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		j, err := job.Decode(data)
		if err != nil {
			if !errors.Is(err, job.ErrUnreadable) {
				t.Fatalf("got %v, want ErrUnreadable", err)
			}
			return
		}
		again := must.Get(j.Encode())(t)
		back, err := job.Decode(again)
		if err != nil || back.MessageID() != j.MessageID() || !back.AsOf.Equal(j.AsOf) {
			t.Fatalf("%s reads back as %s: %v", data, again, err)
		}
		if round, uid, err := job.ParseSubject(job.Subject(j.Round, j.UID)); err != nil || round != j.Round || uid != j.UID {
			t.Fatalf("subject of %s/%d reads back as %s/%d: %v", j.Round, j.UID, round, uid, err)
		}
	})
}

// FuzzDecodeRecord: no stored value panics, neither when it is read nor in
// any transition of what was read.
func FuzzDecodeRecord(f *testing.F) {
	for _, phase := range []job.Phase{job.Planned, job.Running, job.Done, job.Failed} {
		data := must.Get(json.Marshal(recordIn(phase)))(f)
		f.Add(data)
	}
	f.Add([]byte(`{"version":1,"phase":"running"}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		r, err := job.DecodeRecord(data)
		if err != nil {
			return
		}
		for _, e := range events() {
			_, _ = e.do(r)
		}
	})
}

func TestUnreadableRecords(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		`{`:                               "reading a record",
		`{"phase":"planned"}`:             "version 0",
		`{"version":2,"phase":"planned"}`: "version 2",
		`{"version":1}`:                   `phase ""`,
		`{"version":1,"phase":"lost"}`:    `phase "lost"`,
		`{"version":1,"phase":"running"}`: "without a claim",
		`{"version":1,"phase":"done"}`:    "without an evaluation",
	} {
		if _, err := job.DecodeRecord([]byte(data)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", data, err, want)
		}
	}
}

// TestMessageIDs: a replay's id must differ, or the stream swallows it.
func TestMessageIDs(t *testing.T) {
	t.Parallel()
	j := aJob()
	j.Replay = 0
	seen := map[string]int{j.MessageID(): 0}
	for n := 1; n <= 3; n++ {
		j.Replay = n
		if former, taken := seen[j.MessageID()]; taken {
			t.Errorf("replay %d has the id of %d: %s", n, former, j.MessageID())
		}
		seen[j.MessageID()] = n
	}
	if _, ok := seen["2025-06-01t12/7/replay-2"]; !ok {
		t.Errorf("ids are %v, want round/uid/replay-n", seen)
	}
}

func TestKeysReadBack(t *testing.T) {
	t.Parallel()
	for _, round := range []string{"a", "2025-06-01t12-00-00z", strings.Repeat("x", 64)} {
		for _, uid := range []int{0, 7, 65535} {
			gotRound, gotUID, err := job.ParseRecordKey(job.RecordKey(round, uid))
			if err != nil || gotRound != round || gotUID != uid {
				t.Errorf("record key of %s/%d reads back as %s/%d, %v", round, uid, gotRound, gotUID, err)
			}
			gotRound, gotUID, err = job.ParseSubject(job.Subject(round, uid))
			if err != nil || gotRound != round || gotUID != uid {
				t.Errorf("subject of %s/%d reads back as %s/%d, %v", round, uid, gotRound, gotUID, err)
			}
		}
	}
}

// TestKeysRefuse: what is not a key's one form would be another job's name.
func TestKeysRefuse(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", "a", "a.", ".1", "a.x", "a.-1", "a.+1", "a.01", "a.1.2", "A.1", "a*.1", "a.1 ", "ä.1"} {
		if round, uid, err := job.ParseRecordKey(key); err == nil {
			t.Errorf("record key %q reads as %s/%d, want an error", key, round, uid)
		}
		if round, uid, err := job.ParseSubject("miner.job." + key); err == nil {
			t.Errorf("subject of %q reads as %s/%d, want an error", key, round, uid)
		}
	}
	if _, _, err := job.ParseSubject("miner.dead.a.1"); err == nil {
		t.Error("a dead letter's subject reads as a job's")
	}
}

func TestValidRound(t *testing.T) {
	t.Parallel()
	for round, want := range map[string]bool{
		"a": true, "0-9": true, strings.Repeat("a", 64): true,
		"": false, strings.Repeat("a", 65): false, "A": false, "a.b": false, "a*": false, "a>": false, "a b": false, "a/b": false,
	} {
		if got := job.ValidRound(round); got != want {
			t.Errorf("round %q: valid is %t, want %t", round, got, want)
		}
	}
}

// TestClassOf: a mark is found through wrapping, and no mark means another try.
func TestClassOf(t *testing.T) {
	t.Parallel()
	marked := job.WithClass(job.Permanent, io.EOF)
	for name, c := range map[string]struct {
		err  error
		want job.Class
	}{
		"unmarked":   {io.EOF, job.Transient},
		"marked":     {marked, job.Permanent},
		"wrapped":    {fmt.Errorf("x: %w", marked), job.Permanent},
		"joined":     {errors.Join(io.ErrNoProgress, marked), job.Permanent},
		"outer wins": {job.WithClass(job.Transient, marked), job.Transient},
		"unreadable": {fmt.Errorf("x: %w", job.ErrUnreadable), job.Permanent},
	} {
		if got := job.ClassOf(c.err); got != c.want {
			t.Errorf("%s: class %s, want %s", name, got, c.want)
		}
	}
	if !errors.Is(marked, io.EOF) {
		t.Error("the mark hides the error")
	}
}
