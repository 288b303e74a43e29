package web_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"mirrorfleet/producer/outcome"
)

// hand is a replay in the tests' hands.
type hand struct {
	begun  chan outcome.Selection
	finish chan error
	// ended counts those that have returned.
	ended atomic.Int64
}

func (h *hand) replay(ctx context.Context, _ string, s outcome.Selection) (outcome.Result, outcome.Replayed, error) {
	defer h.ended.Add(1)
	h.begun <- s
	select {
	case err := <-h.finish:
		return outcome.Result{Revision: 2}, outcome.Replayed{UIDs: s.UIDs}, err
	case <-ctx.Done():
		return outcome.Result{}, outcome.Replayed{}, context.Cause(ctx)
	}
}

// The process's own function gets what was asked for, one of a round at a time;
// a dry run gets nothing to it; Close ends what runs and waits for it.
func TestReplaysAreOwned(t *testing.T) {
	t.Parallel()
	b, h := servers(t), &hand{begun: make(chan outcome.Selection, 1), finish: make(chan error)}
	server := b.serve(t, func(c *settings) { c.orders.Replay = h.replay })
	result := b.Incomplete(t, now)
	post := func(body string) said {
		t.Helper()
		return b.ask(t, http.MethodPost, "/api/v1/rounds/"+result.Round+"/replay", body, "Authorization", "bearer "+token)
	}
	dry := post(`{"dry_run": true}`)
	if dry.status != http.StatusOK || !strings.Contains(dry.body, `"chosen":[{"uid":2,"class":"permanent"`) || len(h.begun) != 0 {
		t.Errorf("a dry run: %d %s, want 200 with miner 2 and nothing begun", dry.status, dry.body)
	}
	if got := post(`{"uids": [2], "class": "permanent"}`); got.status != http.StatusAccepted {
		t.Fatalf("%d %s, want 202", got.status, got.body)
	}
	if s := <-h.begun; len(s.UIDs) != 1 || s.UIDs[0] != 2 || s.Class != "permanent" || s.Degraded {
		t.Errorf("it is to run %+v, want what was asked for", s)
	}
	if got := post(""); got.status != http.StatusConflict || !strings.Contains(got.body, "replay-under-way") {
		t.Errorf("a second one: %d %s, want 409", got.status, got.body)
	}
	b.awaitReplay(t, result.Round, "running")
	h.finish <- nil
	if got := b.awaitReplay(t, result.Round, "ended"); got.Replay.Revision != 2 || len(got.Replay.UIDs) != 1 {
		t.Errorf("%+v, want revision 2 of miner 2", got.Replay)
	}

	post("")
	<-h.begun
	h.finish <- errors.New("the stream is gone; the mirror echoes Bearer ghp_0123456789abcdef")
	if got := b.awaitReplay(t, result.Round, "failed"); !strings.Contains(got.Replay.Error, "the stream is gone") || strings.Contains(got.Replay.Error, "ghp_") {
		t.Errorf("%+v, want the error without the secret", got.Replay)
	}

	post("")
	<-h.begun
	if err := server.Close(); err != nil || h.ended.Load() != 3 {
		t.Errorf("closed with %v, %d replays ended, want all 3", err, h.ended.Load())
	}
}
