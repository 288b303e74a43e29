package ratelimit_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/ratelimit/bucket"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

// Whoever has the password of a worker may write any field of a bucket, of any length. A field
// that is not the script's own is not read. Of the script's own fields no more is read than the
// script writes, and a number that is none is named in few words.
func TestAStrangersFieldsCostNobody(t *testing.T) {
	t.Parallel()
	run, producer, worker := shippedUsers(t)
	w := newServer(t, worker)
	stranger, reader := patient(t, w), patient(t, newServer(t, producer))
	judge := must.Get(ratelimit.NewClient(strings.Replace(run.URL(), "redis://", "redis://judge:any@", 1), time.Minute))(t)
	t.Cleanup(func() { must.Check(t, judge.Close()) })
	permit(t, w.limiter(t, quick()))
	look := func() (buckets []ratelimit.State, bytes int, err error) {
		before := sent(t, judge)
		buckets, err = ratelimit.Buckets(t.Context(), reader, time.Minute)
		return buckets, sent(t, judge) - before, err
	}
	key := ratelimit.Key(ratelimit.DefaultEgress)
	must.Do(t, stranger.HSet(t.Context(), key, "stranger", strings.Repeat("x", 20<<20)).Err())
	if got, bytes, err := look(); err != nil || len(got) != 1 || got[0].Granted != 1 || bytes > 10_000 {
		t.Errorf("beside a stranger's field: %+v, %v, %d bytes; want the bucket, and nothing of the field", got, err, bytes)
	}
	for _, text := range []string{"hold_note", "run"} {
		must.Do(t, stranger.HSet(t.Context(), key, text, strings.Repeat("x", 20<<20)).Err())
		if got, bytes, err := look(); err != nil || len(got) != 1 || len(got[0].RunID) > bucket.MaxField || bytes > 20_000 {
			t.Errorf("with a long %s: %v, %d bytes; want the bucket with its beginning", text, err, bytes)
		}
	}
	for _, field := range bucket.Fields() {
		must.Do(t, stranger.HSet(t.Context(), key, field, strings.Repeat("x", 1<<20)).Err())
	}
	if _, bytes, err := look(); err == nil || len(err.Error()) > 200 || !strings.Contains(err.Error(), "egress default") || bytes > 500_000 {
		t.Errorf("with long fields: %.500v, %d bytes; want an error that names a field, in few words", err, bytes)
	}
}

// Whoever has the password of a worker may also make buckets. The list ends, and says so.
func TestAFloodOfBucketsEndsTheList(t *testing.T) {
	t.Parallel()
	_, producer, worker := shippedUsers(t)
	stranger, reader := patient(t, newServer(t, worker)), patient(t, newServer(t, producer))
	pipe := stranger.Pipeline()
	for i := range 1001 {
		pipe.HSet(t.Context(), ratelimit.Key("e"+strconv.Itoa(i)), "high", "1")
	}
	must.Get(pipe.Exec(t.Context()))(t)
	if got, err := ratelimit.Buckets(t.Context(), reader, time.Minute); err == nil || !strings.Contains(err.Error(), "more than 1000") {
		t.Errorf("%d buckets, %v; want it refused", len(got), err)
	}
}

// Whoever has the password of a worker may publish on the egress's channel. The log does not
// fill with it, and still tells of a hold.
func TestAFloodOfNoticesDoesNotFillTheLog(t *testing.T) {
	t.Parallel()
	_, producer, worker := shippedUsers(t)
	w := newServer(t, worker)
	log, cfg := &telemetrytest.Log{}, quick()
	cfg.Log = log.Logger()
	permit(t, w.limiter(t, cfg))
	stranger, channel := patient(t, w), ratelimit.Key(ratelimit.DefaultEgress)+":word"
	began := time.Now()
	await(t, "an odd notice is logged", func() bool {
		must.Do(t, stranger.Publish(t.Context(), channel, "odd").Err())
		return log.Count("is not the script's") > 0
	})
	pipe := stranger.Pipeline()
	for range 1000 {
		pipe.Publish(t.Context(), channel, "odd")
		pipe.Publish(t.Context(), channel, "1:1:0")
	}
	must.Get(pipe.Exec(t.Context()))(t)
	must.Get(newServer(t, producer).operator(t).Hold(t.Context(), time.Hour, ratelimit.Note{By: "ann"}))(t)
	must.Until(t.Context(), t, "the hold is logged", func() bool { return log.Count("held by hand") == 1 })
	others := log.Count("is not the script's") + log.Count("ended by hand")
	if most := 1 + int(time.Since(began)/time.Second); others > most {
		t.Errorf("%d lines about 2000 notices, want at most %d", others, most)
	}
}
