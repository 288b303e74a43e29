package shadow_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/shadow"
)

// A record that would take too much memory is refused before it is read into any.
func TestARecordIsBounded(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	must.Get(w.Write(bytes.Repeat([]byte(" "), 1<<20)))(t)
	must.Do(t, w.Close())
	for name, c := range map[string]struct{ text, want string }{
		"what unpacks to too much": {strings.Repeat(bomb.String(), shadow.MaxRecord>>20+1), "more than 128 MB"},
		"items of no type":         {`{"miners": [{"received": [0` + strings.Repeat(",0", 1<<20) + `]}]}`, "1048578 items in lists"},
		"empty items":              {`{"miners": [` + strings.Repeat("{},", 1<<20) + `{}]}`, "items in lists"},
		"members":                  {`{"rewards": {` + strings.Repeat(`"1":1,`, 6<<20) + `"1":1}}`, "6291458 members of objects"},
	} {
		if _, err := shadow.Decode(t.Context(), []byte(c.text)); !errors.Is(err, shadow.ErrRefused) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want it refused: %q", name, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		change func(r *shadow.Record)
		want   string
	}{
		"miners": {func(r *shadow.Record) {
			for uid := range 4097 {
				r.Miners = append(r.Miners, shadow.Miner{UID: uid})
			}
		}, "4104 miners, want at most 4096"},
		"repositories": {func(r *shadow.Record) {
			r.Miners[3].Repositories = make([]scoring.RepositoryOutcome, 2049)
		}, "miner 3 has 2049 repositories, want at most 2048"},
		"a registry": {func(r *shadow.Record) {
			entries := map[string]json.RawMessage{}
			for i := range 2049 {
				entries[fmt.Sprint("acme/r", i)] = json.RawMessage(`{"emission_share": 0.0001}`)
			}
			r.Registry = must.Get(json.Marshal(entries))(t)
		}, "2049 repositories, want at most 2048"},
	} {
		record := fleet(t).recorded(t, 0)
		c.change(&record)
		_, err := shadow.Decode(t.Context(), must.Get(json.Marshal(record))(t))
		if !errors.Is(err, shadow.ErrRefused) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("too many %s: %v, want it refused: %q", name, err, c.want)
		}
	}
}

// Punctuation in a text is no item: nobody's label keeps a record from being read.
func TestATextIsNoItem(t *testing.T) {
	t.Parallel()
	record := fleet(t).recorded(t, 0)
	record.Miners[3].Received[0].Labels[0].Name = strings.Repeat(`[{,\"`, 1<<19)
	must.Get(shadow.Decode(t.Context(), must.Get(json.Marshal(record))(t)))(t)
}

// What a list has many times over takes no longer than as many other things.
func TestWhatIsListedManyTimes(t *testing.T) {
	t.Parallel()
	record := fleet(t).recorded(t, 0)
	m := &record.Miners[3]
	for range 1_000 {
		m.PullRequests = append(m.PullRequests, m.PullRequests[0])
		record.FilesLacking = append(record.FilesLacking, "acme/r1#1")
	}
	r := compare(t, fleet(t), record)
	if got := r.Miners[3]; got.Verdict != shadow.Rule || got.Unexplained[0].Figure != "acme/r1#301 state (2)" || got.More < 1_000 {
		t.Errorf("%s, %v and %d more; want each of them unexplained", got.Verdict, got.Unexplained, got.More)
	}
}

// Whoever ends the context ends reading and comparing.
func TestTheContextEndsIt(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancelCause(t.Context())
	reason := errors.New("stopped")
	record := fleet(t).recorded(t, 0)
	whole := read(t, record)
	in, out := fleet(t).conclude(t)
	stop(reason)
	if _, err := shadow.Decode(ctx, must.Get(json.Marshal(record))(t)); !errors.Is(err, reason) {
		t.Errorf("reading: %v, want it stopped", err)
	}
	if _, err := shadow.Compare(ctx, shadow.Ours{In: in, Out: out}, whole); !errors.Is(err, reason) {
		t.Errorf("comparing: %v, want it stopped", err)
	}
}
