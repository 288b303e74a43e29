package jobstream_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/signing"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

// noise is text that compression shortens by a quarter at most.
func noise(n int) string {
	raw := make([]byte, n*3/4)
	random := rand.NewChaCha8([32]byte{1})
	random.Read(raw)
	return base64.StdEncoding.EncodeToString(raw)
}

func anEvaluation(text string) job.Evaluation {
	return job.Evaluation{
		Version: job.Version, Round: "r1", UID: 7, Worker: "w", Claim: "c", FinishedAt: asOf, Requests: 3,
		Evaluation: scoring.Evaluation{UID: 7, Hotkey: "5F", GitHubID: "42"},
		Missing:    []job.Missing{{What: "issues", Error: text}},
	}
}

// TestEvaluationsReadBack, also those that take more than one message.
func TestEvaluationsReadBack(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	for name, size := range map[string]int{"small": 10, "two messages": 2 << 20, "many messages": 9 << 20} {
		want := anEvaluation(noise(size))
		want.Claim = fmt.Sprint(size)
		key := job.EvaluationKey("r1", 7, want.Claim)
		if err := b.bus.Evaluations.Put(b.ctx, key, want); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := b.bus.Evaluations.Load(b.ctx, key)
		if err != nil || !cmp.Equal(want, got) {
			t.Errorf("%s: reads back differently (%v)", name, err)
		}
	}
	if _, err := b.bus.Evaluations.Load(b.ctx, "r1.1.none"); !errors.Is(err, jobstream.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

// TestOutcomesAreReadWhileTheyAreUnpacked: an outcome in one message or in many gives the
// same bytes as one that is read at once.
func TestOutcomesAreReadWhileTheyAreUnpacked(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	for revision, size := range []int{0, 10, 5 << 20} {
		if revision == 0 {
			continue
		}
		want := fmt.Appendf(nil, "{%q: %q}", "text", noise(size))
		before := time.Now()
		must.Do(t, b.bus.Outcomes.Put(b.ctx, "r1", revision, want))
		stored := must.Get(b.bus.Outcomes.Open(b.ctx, "r1", revision))(t)
		got, err := io.ReadAll(stored)
		if err := errors.Join(err, stored.Close()); err != nil || !bytes.Equal(got, want) {
			t.Errorf("revision %d reads back differently (%v): %d bytes, want %d", revision, err, len(got), len(want))
		}
		if stored.At.Before(before.Add(-time.Minute)) || stored.At.After(time.Now().Add(time.Minute)) {
			t.Errorf("stored at %v, want about now", stored.At)
		}
	}
	if _, err := b.bus.Outcomes.Open(b.ctx, "r1", 3); !errors.Is(err, jobstream.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if _, at, err := b.bus.Holders.LastBeat(b.ctx, "r1"); err != nil || !at.IsZero() {
		t.Errorf("a round that nobody has held: %v, %v, want no beat", at, err)
	}
	must.Get(b.bus.Holders.Set(b.ctx, "r1", job.Holder{Name: "p"}, 0))(t)
	if h, at, err := b.bus.Holders.LastBeat(b.ctx, "r1"); err != nil || h.Name != "p" || at.IsZero() {
		t.Errorf("held by %q at %v, %v, want p", h.Name, at, err)
	}
}

// TestDamagedValues: each gives a ValueError that names its key. None is taken for an
// evaluation, and none unpacks without bound.
func TestDamagedValues(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	pack := func(text string) string {
		var packed bytes.Buffer
		w := must.Get(zstd.NewWriter(&packed))(t) // as a stream: its length is not in its head
		fmt.Fprint(w, text)
		w.Close()
		return packed.String()
	}
	whole := strings.Repeat("0", 64)
	for name, value := range map[string]string{
		"empty":          "",
		"not packed":     "hello",
		"cut short":      pack(`{"version":1,"round":"r1"}`)[:12],
		"not an object":  pack("[]"),
		"later version":  pack(`{"version":2}`),
		"no version":     pack(`{}`),
		"head cut short": `{"parts":2`,
		"head without":   `{}`,
		"part missing":   fmt.Sprintf(`{"parts":2,"bytes":9,"sha256":"%s"}`, whole),
		"endless parts":  fmt.Sprintf(`{"parts":2000000000,"bytes":9,"sha256":"%s"}`, whole),
		"too many bytes": fmt.Sprintf(`{"parts":2,"bytes":99999999999,"sha256":"%s"}`, whole),
	} {
		key := "r1.7." + strings.ReplaceAll(name, " ", "-")
		must.Get(b.bus.Bucket(job.BucketEvaluation).PutString(b.ctx, key, value))(t)
		_, err := b.bus.Evaluations.Load(b.ctx, key)
		var damaged *jobstream.ValueError
		if !errors.As(err, &damaged) || damaged.Key != key || damaged.Bucket != job.BucketEvaluation {
			t.Errorf("%s: got %v, want a ValueError that names key %s", name, err, key)
		}
	}
}

// TestValuesUnpackWithinTheirBound: a few kilobytes may unpack to many gigabytes, with or
// without a header that says so. Such a value is refused before it takes that memory,
// even if its content is valid.
func TestValuesUnpackWithinTheirBound(t *testing.T) { //nolint:paralleltest // it counts what the process allocates
	b := setup(t, jobstream.Config{})
	long := must.Get(json.Marshal(anEvaluation("x")))(t)
	long = append(long, bytes.Repeat([]byte(" "), 256<<20)...)
	encoder := must.Get(zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1)))(t)
	var streamed bytes.Buffer
	w := must.Get(zstd.NewWriter(&streamed, zstd.WithEncoderConcurrency(1)))(t)
	must.Get(w.Write(long))(t)
	must.Do(t, w.Close())
	values := map[string][]byte{"says its length": encoder.EncodeAll(long, nil), "does not": streamed.Bytes()}
	for name, value := range values {
		must.Get(b.bus.Bucket(job.BucketEvaluation).Put(b.ctx, "r1.7.c", value))(t)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := b.bus.Evaluations.Load(b.ctx, "r1.7.c")
		runtime.ReadMemStats(&after)
		if _, damaged := errors.AsType[*jobstream.ValueError](err); !damaged {
			t.Errorf("%s: got %v, want a ValueError", name, err)
		}
		if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 450 {
			t.Errorf("%s: it took %d MB, want no more than a growing buffer of 64", name, took)
		}
	}
	big := anEvaluation(strings.Repeat(" ", 65<<20))
	var tooLong *jobstream.ValueError
	if err := b.bus.Evaluations.Put(b.ctx, "r1.8.c", big); !errors.As(err, &tooLong) {
		t.Errorf("storing more: got %v, want a ValueError", err)
	}
}

// TestShortMessagesAreRefused: a server that takes only short messages is refused at the
// start and after a reconnect, and the error has both sizes. Nothing is stored in part.
func TestShortMessagesAreRefused(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	options := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true}
	start := func(payload int32) *server.Server {
		options.MaxPayload = payload
		s := must.Get(server.NewServer(options))(t)
		s.Start()
		if !s.ReadyForConnections(patience) {
			t.Fatal("the server does not start")
		}
		options.Port = s.Addr().(*net.TCPAddr).Port
		return s
	}
	stop := func(s *server.Server) { s.Shutdown(); s.WaitForShutdown() }
	var short *jobstream.PayloadError

	running := start(32 << 10)
	log, another := &telemetrytest.Log{}, &telemetrytest.Log{} // both connections reconnect, and each says so
	nc, _ := jobstreamtest.Connect(t, running.ClientURL(), another.Logger())
	if _, err := jobstream.Open(ctx, nc, jobstream.Config{}); !errors.As(err, &short) || short.Have != 32<<10 || short.Want != 64<<10 {
		t.Errorf("at the start: %v, want a PayloadError of 32768 and 65536", err)
	}
	stop(running)
	running = start(1 << 20)
	bus, _ := jobstreamtest.Open(t, running.ClientURL(), jobstream.Config{Log: log.Logger()})
	stop(running)
	running = start(32 << 10)
	defer func() { stop(running) }()
	log.Await(ctx, t, "the server cannot be worked with")
	if err := bus.Evaluations.Put(ctx, "r1.7.c", anEvaluation(noise(200<<10))); !errors.As(err, &short) {
		t.Errorf("after a reconnect: %v, want a PayloadError", err)
	}
	if keys, err := bus.Bucket(job.BucketEvaluation).Keys(ctx); !errors.Is(err, jetstream.ErrNoKeysFound) {
		t.Errorf("something was stored: %q, %v", keys, err)
	}
}

// TestSwappedPart: the digest of the whole value checks its parts.
func TestSwappedPart(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	must.Do(t, b.bus.Evaluations.Put(b.ctx, "r1.7.c", anEvaluation(noise(3<<20))))
	kv := b.bus.Bucket(job.BucketEvaluation)
	entry := must.Get(kv.Get(b.ctx, "r1.7.c"))(t)
	var head struct {
		SHA256 string `json:"sha256"`
	}
	must.Do(t, json.Unmarshal(entry.Value(), &head))
	part := "r1.7.c.part." + head.SHA256[:16] + ".1"
	first := must.Get(kv.Get(b.ctx, part))(t)
	wrong := bytes.Clone(first.Value())
	wrong[100] ^= 1
	must.Get(kv.Put(b.ctx, part, wrong))(t)
	var damaged *jobstream.ValueError
	if _, err := b.bus.Evaluations.Load(b.ctx, "r1.7.c"); !errors.As(err, &damaged) {
		t.Errorf("got %v, want a ValueError", err)
	}
}

// TestManifestClaimsTheRound: the first manifest counts, whatever its length.
func TestManifestClaimsTheRound(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	want := job.Manifest{
		Version: job.Version, Round: "r2", AsOf: asOf, PlannedAt: asOf, Mirror: noise(2 << 20),
		Miners:   []input.Miner{{UID: 1}},
		Registry: json.RawMessage(`{}`), Languages: json.RawMessage(`{}`), Tokens: json.RawMessage(`{}`),
	}
	must.Do(t, b.bus.Rounds.CreateManifest(b.ctx, want))
	second := want
	second.Mirror = noise(3 << 20)
	if err := b.bus.Rounds.CreateManifest(b.ctx, second); !errors.Is(err, jobstream.ErrExists) {
		t.Errorf("second claim: got %v, want ErrExists", err)
	}
	got, err := b.bus.Rounds.Manifest(b.ctx, "r2")
	want.SHA256 = signing.Digest(must.Get(json.Marshal(want))(t))
	if err != nil || !cmp.Equal(want, got) {
		t.Errorf("the first manifest reads back differently (%v)", err)
	}
	if _, err := b.bus.Rounds.Manifest(b.ctx, "r3"); !errors.Is(err, jobstream.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if err := b.bus.Rounds.CreateManifest(b.ctx, job.Manifest{Round: "r.4"}); err == nil || !strings.Contains(err.Error(), `"r.4"`) {
		t.Errorf("got %v, want an error that names the round", err)
	}
	want.Round, want.Mirror = "r1", ""
	must.Do(t, b.bus.Rounds.CreateManifest(b.ctx, want))
	rounds, err := b.bus.Rounds.List(b.ctx)
	if diff := cmp.Diff([]string{"r1", "r2"}, rounds); err != nil || diff != "" {
		t.Errorf("rounds: %v %s", err, diff)
	}
}

// TestOutcomesStand: revisions are stored beside each other and never rewritten.
func TestOutcomesStand(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	if got, err := b.bus.Outcomes.Revisions(b.ctx, "r1"); err != nil || len(got) != 0 {
		t.Errorf("before the first: %v, %v", got, err)
	}
	big := []byte(noise(2 << 20))
	for revision, data := range map[int][]byte{1: []byte("one"), 2: big, 10: []byte("ten")} {
		for range 2 { // a producer that crashed after it writes the same again
			must.Do(t, b.bus.Outcomes.Put(b.ctx, "r1", revision, data))
		}
	}
	if err := b.bus.Outcomes.Put(b.ctx, "r1", 1, []byte("other")); !errors.Is(err, jobstream.ErrExists) {
		t.Errorf("another outcome: got %v, want ErrExists", err)
	}
	if got, err := b.bus.Outcomes.Load(b.ctx, "r1", 1); err != nil || string(got) != "one" {
		t.Errorf("got %s, %v, want the first", got, err)
	}
	if got, err := b.bus.Outcomes.Load(b.ctx, "r1", 2); err != nil || !bytes.Equal(got, big) {
		t.Errorf("the long one reads back differently (%v)", err)
	}
	if _, err := b.bus.Outcomes.Load(b.ctx, "r1", 3); !errors.Is(err, jobstream.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if got, err := b.bus.Outcomes.Revisions(b.ctx, "r1"); err != nil || !cmp.Equal(got, []int{1, 2, 10}) {
		t.Errorf("revisions are %v, %v, want 1, 2, 10", got, err)
	}
	if err := b.bus.Outcomes.Put(b.ctx, "r1", 0, nil); err == nil {
		t.Error("revision 0 was taken")
	}
}
