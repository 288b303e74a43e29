package job_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring"
)

// -update writes the messages of a new version. Those that are there stay: they
// are what other builds have written.
var update = flag.Bool("update", false, "write the golden messages that there are not yet")

// messages are one of each kind that crosses the wire or is kept, with every
// field set that this build knows.
func messages() map[string]any {
	claim := &job.Claim{ID: "c-1", Worker: "w-1", Since: at, Sequence: 12, Delivery: 3, Replay: 2}
	failure := &job.Failure{Class: job.Transient, Error: "status 503", At: at.Add(time.Minute)}
	record := job.Record{
		Version: 1, Round: "2025-06-01t12", UID: 7, Trace: "4bf92f3577b34da6a3ce929d0e0e4736", Replay: 2, Deliveries: 5, Failures: 1,
		Requests: 30, Failure: failure, Former: "2025-06-01t12.7.c-0",
	}
	in := func(phase job.Phase, change func(*job.Record)) job.Record {
		r := record
		r.Phase = phase
		change(&r)
		return r
	}
	return map[string]any{
		"job": job.Job{Version: 1, Round: "2025-06-01t12", UID: 7, Hotkey: "5F", GitHubID: "42", AsOf: at, IssuesOnly: true, Replay: 2},
		"job-as-planned": job.Job{
			Version: 1, Round: "2025-06-01t12", UID: 7, Hotkey: "5F", GitHubID: "42", AsOf: at,
			Planned: job.AsPlanned{Revision: 12, Trace: "4bf92f3577b34da6a3ce929d0e0e4736"},
		},
		"record-planned": in(job.Planned, func(*job.Record) {}),
		"record-running": in(job.Running, func(r *job.Record) { r.Claim, r.Expected = claim, 40 }),
		"record-done":    in(job.Done, func(r *job.Record) { r.Claim, r.Evaluation, r.Degraded = claim, "2025-06-01t12.7.c-1", true }),
		"record-failed":  in(job.Failed, func(r *job.Record) { r.Claim = claim }),
		"evaluation": job.Evaluation{
			Version: 1, Round: "2025-06-01t12", UID: 7, Worker: "w-1", Claim: "c-1", FinishedAt: at, Requests: 30, Cached: 4,
			Evaluation: scoring.Evaluation{
				UID: 7, Hotkey: "5F", GitHubID: "42",
				Merged: []scoring.ScoredPullRequest{{
					Repository: "a/b", Number: 5, Title: "one", State: scoring.Merged, CreatedAt: at, MergedAt: at.Add(time.Hour), Scored: true,
					BaseScore: 16.55, TokenScore: 61.5, IssueMultiplier: 1.66, TimeDecayMultiplier: 0.94, ReviewQualityMultiplier: 1, LabelMultiplier: 1,
					Reasons: scoring.PullReasons{Base: scoring.Reason{Code: scoring.BaseFromTokens}},
				}},
				Open: []scoring.ScoredPullRequest{}, Closed: []scoring.ScoredPullRequest{},
			},
			Missing:   []job.Missing{{What: "files a/b#6", Error: "status 503"}},
			Malformed: []job.Malformed{{Item: "a/b#8", Error: "no number"}},
		},
		"dead-letter": job.DeadLetter{
			Version: 1, Round: "2025-06-01t12", UID: 7, Replay: 2, Class: job.Poison, Error: "died", Attempts: 20, Worker: "w-1",
			Trace: "4bf92f3577b34da6a3ce929d0e0e4736", At: at, Payload: []byte("no job"),
		},
		"manifest": job.Manifest{
			Version: 1, Round: "2025-06-01t12", AsOf: at, PlannedAt: at, Mirror: "https://mirror.example",
			Miners:   []scoring.Miner{{UID: 7, Hotkey: "5F", GitHubID: "42"}, {UID: 8, Hotkey: "5G", GitHubID: "43", Token: scoring.TokenNone}},
			Registry: json.RawMessage(`{"a/b":{"emission_share":1}}`), Languages: json.RawMessage(`{}`), Tokens: json.RawMessage(`{}`),
			Unloadable: []string{"csharp"}, Trace: "4bf92f3577b34da6a3ce929d0e0e4736",
		},
		"manifest-scheduled": job.Manifest{
			Version: 1, Round: "2025-06-01t12", AsOf: at, PlannedAt: at, Mirror: "https://mirror.example", Miners: []scoring.Miner{},
			Registry: json.RawMessage(`{}`), Languages: json.RawMessage(`{}`), Tokens: json.RawMessage(`{}`), Unloadable: []string{},
			OverdueAt: at.Add(2 * time.Hour), Notes: []string{"put off for 5s"},
		},
		"holder": job.Holder{Version: 1, Name: "p-1/abc", Beat: 4, For: 15 * time.Second, Released: true, Since: at},
		"replay": job.Replay{Version: 1, Round: "2025-06-01t12", Number: 2, UIDs: []int{5, 7}, By: "p-1", At: at},
	}
}

// What other builds have written is read as it was meant, and this build writes
// what they read: each message of each version reads as today's value, but for
// its version, and today's value of the present version is the same bytes.
func TestEveryVersionOfTheWire(t *testing.T) {
	t.Parallel()
	for version := 1; version <= job.Version; version++ {
		for name, want := range messages() {
			path := filepath.Join("testdata", "wire", fmt.Sprintf("v%d", version), name+".json")
			written, err := json.MarshalIndent(ofVersion(want, version), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			written = append(written, '\n')
			if _, err := os.Stat(path); *update && os.IsNotExist(err) {
				if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, written, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			golden, err := os.ReadFile(path)
			if err != nil {
				t.Errorf("%v (-update writes it, once)", err)
				continue
			}
			if version == job.Version && !bytes.Equal(golden, written) {
				t.Errorf("%s: this build writes another message than others of its version; where they would read it otherwise, "+
					"raise job.Version (-golden +now):\n%s", path, cmp.Diff(string(golden), string(written)))
			}
			got, err := read(name, golden)
			if diff := cmp.Diff(ofVersion(want, version), got); err != nil || diff != "" {
				t.Errorf("%s: %v, read as (-want +got):\n%s", path, err, diff)
			}
		}
	}
}

// read reads a message as the product does.
func read(name string, data []byte) (any, error) {
	switch {
	case strings.HasPrefix(name, "job"):
		return job.Decode(data)
	case strings.HasPrefix(name, "record"):
		return job.DecodeRecord(data)
	}
	into := reflect.New(reflect.TypeOf(messages()[name]))
	err := json.Unmarshal(data, into.Interface())
	if m, ok := reflect.TypeAssert[*job.Manifest](into); ok { // raw parts are as they lie in the file
		for _, raw := range []*json.RawMessage{&m.Registry, &m.Languages, &m.Tokens} {
			var compact bytes.Buffer
			if json.Compact(&compact, *raw) == nil {
				*raw = compact.Bytes()
			}
		}
	}
	return into.Elem().Interface(), err
}

// ofVersion is a message as that version has it.
func ofVersion(message any, version int) any {
	v := reflect.New(reflect.TypeOf(message)).Elem()
	v.Set(reflect.ValueOf(message))
	v.FieldByName("Version").SetInt(int64(version))
	return v.Interface()
}

// A message of this build sets every field that there is, so that a new one
// cannot be forgotten.
func TestGoldenMessagesSetEveryField(t *testing.T) {
	t.Parallel()
	set := map[string]map[string]bool{}
	for _, message := range messages() {
		v := reflect.ValueOf(message)
		name := v.Type().Name()
		if set[name] == nil {
			set[name] = map[string]bool{}
		}
		for i := range v.NumField() {
			set[name][v.Type().Field(i).Name] = set[name][v.Type().Field(i).Name] || !v.Field(i).IsZero()
		}
	}
	for name, fields := range set {
		for field, done := range fields {
			if !done {
				t.Errorf("no golden message sets %s.%s", name, field)
			}
		}
	}
}
