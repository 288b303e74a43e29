package round_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/klauspost/compress/zstd"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/signing"
	"mirrorfleet/shared/signing/signingtest"
)

// signedSetup is a bundle whose producer has a key; plain is a bus without one.
func signedSetup(t *testing.T) (b *bundle, plain *jobstream.Bus, keys signing.Keys) {
	t.Helper()
	keys, _ = signingtest.Keys(t)
	b = setup(t, jobstream.Config{Keys: keys})
	plain, _ = jobstreamtest.Open(t, b.nats, jobstream.Config{})
	b.work(t, func(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
		return evaluated(j, 10), nil
	})
	return b, plain, keys
}

// stored is a value of the rounds as it is stored, signed or not.
func stored(t *testing.T, bus *jobstream.Bus, key string) (signing.Signature, []byte) {
	t.Helper()
	decoder := must.Get(zstd.NewReader(nil))(t)
	defer decoder.Close()
	value := must.Get(bus.Bucket(job.BucketRounds).Get(t.Context(), key))(t).Value()
	signature, content, err := signing.Open(must.Get(decoder.DecodeAll(value, nil))(t))
	must.Do(t, err)
	return signature, content
}

func store(t *testing.T, bus *jobstream.Bus, key string, value []byte) {
	t.Helper()
	encoder := must.Get(zstd.NewWriter(nil))(t)
	must.Get(bus.Bucket(job.BucketRounds).Put(t.Context(), key, encoder.EncodeAll(value, nil)))(t)
}

// Each revision names its sources and the former revision by digest. So another former
// revision is refused, even if the producer's key has signed it.
func TestRevisionsAreChained(t *testing.T) {
	t.Parallel()
	b, plain, keys := signedSetup(t)
	b.status.Store(http.StatusNotFound)
	m := b.plan(t, four()...)
	first := must.Get(b.runner(t).Start(deadline(t), m))(t)
	b.status.Store(0)
	second, _, err := b.runner(t).Replay(deadline(t), m.Round, outcome.Selection{})
	must.Do(t, err)
	if first.Revision != 1 || second.Revision != 2 {
		t.Fatalf("revisions %d and %d, want 1 and 2", first.Revision, second.Revision)
	}
	digest := func(key string) string { _, content := stored(t, b.bus, key); return signing.Digest(content) }
	for what, c := range map[string][2]string{
		"the manifest":       {second.Manifest, digest(job.ManifestKey(m.Round))},
		"the first's":        {first.Manifest, second.Manifest},
		"the replay's plan":  {second.Plan, digest(job.ReplayKey(m.Round, 1))},
		"the one before":     {second.Former, digest(job.OutcomeKey(m.Round, 1))},
		"none before":        {first.Former, ""},
		"no plan of a round": {first.Plan, ""},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: it names %q, want %q", what, c[0], c[1])
		}
	}
	must.Get(outcome.Read(t.Context(), b.bus, m.Round, 1))(t)
	key := job.OutcomeKey(m.Round, 1)
	_, content := stored(t, b.bus, key)
	another := bytes.Replace(content, []byte(`"requests":`), []byte(`"requests":1`), 1)
	store(t, b.bus, key, keys.Sign(key, signing.Digest(another)).Seal(another))
	for name, bus := range map[string]*jobstream.Bus{"with the key": b.bus, "without": plain} {
		if _, err := outcome.Read(t.Context(), bus, m.Round, 1); !errors.Is(err, jobstream.ErrSignature) || !jobstream.Damaged(err) {
			t.Errorf("another first revision, read %s: %v, want it refused", name, err)
		}
	}
	must.Get(outcome.Read(t.Context(), b.bus, m.Round, 2))(t)
	// The first revision is put in the place of the second, as if there had been no
	// replay.
	signature, _ := stored(t, b.bus, job.OutcomeKey(m.Round, 2))
	for name, forged := range map[string][]byte{
		"with its own signature": keys.Sign(key, signing.Digest(content)).Seal(content), "with the other's": signature.Seal(content),
	} {
		store(t, b.bus, job.OutcomeKey(m.Round, 2), forged)
		if _, err := outcome.Read(t.Context(), b.bus, m.Round, 2); !errors.Is(err, jobstream.ErrSignature) {
			t.Errorf("the first revision as the second, %s: %v, want it refused", name, err)
		}
	}
}

// A producer that resumes a round makes a changed outcome again: all its sources are
// signed and kept.
func TestAChangedOutcomeIsMadeAnew(t *testing.T) {
	t.Parallel()
	b, _, _ := signedSetup(t)
	m := b.plan(t, four()...)
	want := must.Get(b.runner(t).Start(deadline(t), m))(t)
	key := job.OutcomeKey(m.Round, 1)
	signature, content := stored(t, b.bus, key)
	store(t, b.bus, key, signature.Seal(bytes.Replace(content, []byte(`"reward":`), []byte(`"reward":1`), 1)))
	got := must.Get(b.runner(t).Resume(deadline(t), m.Round))(t)
	if !bytes.Equal(must.Get(json.Marshal(got.Outcome))(t), must.Get(json.Marshal(want.Outcome))(t)) || got.Revision != 1 {
		t.Errorf("made anew: revision %d, %+v, want %+v", got.Revision, got.Outcome.Rewards, want.Outcome.Rewards)
	}
	if signature, _ := stored(t, b.bus, key); signature.SignedBy == "" {
		t.Error("what was made anew is not signed")
	}
}

// No producer concludes a round by an unsigned manifest, such as one with another
// registry.
func TestAChangedManifestIsNotConcluded(t *testing.T) {
	t.Parallel()
	b, _, _ := signedSetup(t)
	m := b.plan(t, four()...)
	must.Do(t, b.bus.Rounds.CreateManifest(t.Context(), m))
	key := job.ManifestKey(m.Round)
	signature, content := stored(t, b.bus, key)
	changed := bytes.Replace(content, []byte(`"emission_share":0.8`), []byte(`"emission_share":0.9`), 1)
	if bytes.Equal(changed, content) {
		t.Fatalf("nothing was changed of %s", content)
	}
	for name, forged := range map[string][]byte{"under its signature": signature.Seal(changed), "without one": changed} {
		store(t, b.bus, key, forged)
		if _, err := b.runner(t).Resume(deadline(t), m.Round); !errors.Is(err, round.ErrLost) || !errors.Is(err, jobstream.ErrSignature) {
			t.Errorf("changed %s: %v, want the round lost by its signature", name, err)
		}
	}
	if revisions := must.Get(b.bus.Outcomes.Revisions(t.Context(), m.Round))(t); len(revisions) > 0 {
		t.Errorf("it was concluded: %v", revisions)
	}
}

// A round that was planned with a key can only be concluded with a key.
func TestASignedRoundIsNotConcludedUnsigned(t *testing.T) {
	t.Parallel()
	b, plain, _ := signedSetup(t)
	m := b.plan(t, four()...)
	must.Do(t, b.bus.Rounds.CreateManifest(t.Context(), m))
	without := b.runner(t, func(c *round.Config) { c.Bus = plain })
	if _, err := without.Resume(deadline(t), m.Round); !errors.Is(err, round.ErrNoKey) {
		t.Errorf("resumed without the key: %v, want ErrNoKey", err)
	}
	must.Get(b.runner(t).Resume(deadline(t), m.Round))(t)
	if _, _, err := without.Replay(deadline(t), m.Round, outcome.Selection{}); !errors.Is(err, round.ErrNoKey) {
		t.Errorf("replayed without the key: %v, want ErrNoKey", err)
	}
	unsigned := b.plan(t, four()...)
	unsigned.Round += "-plain"
	must.Get(without.Start(deadline(t), unsigned))(t)
	if _, err := b.runner(t).Resume(deadline(t), unsigned.Round); !errors.Is(err, round.ErrLost) {
		t.Errorf("a round that was planned without a key, with one: %v, want ErrLost", err)
	}
}
