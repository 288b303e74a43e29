package jobstream_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/signing"
	"mirrorfleet/shared/signing/signingtest"
)

// A value that an outcome is made of and that producers write is refused if its signature
// does not match. It can then be put back. A process without a key reads all values.
func TestWhatProducersSign(t *testing.T) {
	t.Parallel()
	signs, verifies := signingtest.Keys(t)
	stranger, _ := signingtest.Keys(t)
	b := setup(t, jobstream.Config{Keys: signs})
	plain, _ := jobstreamtest.Open(t, b.servers.NATSURL(), jobstream.Config{})
	viewer, _ := jobstreamtest.Open(t, b.servers.NATSURL(), jobstream.Config{Role: jobstream.RoleViewer, Keys: verifies})
	m := job.Manifest{Round: "r1", AsOf: asOf, Registry: json.RawMessage("{}"), Languages: json.RawMessage("{}"), Tokens: json.RawMessage("{}")}
	must.Do(t, b.bus.Rounds.CreateManifest(b.ctx, m))
	must.Do(t, b.bus.Rounds.CreateReplay(b.ctx, job.Replay{Round: "r1", Number: 1}))
	must.Do(t, b.bus.Rounds.PutSnapshot(b.ctx, "r1", map[int]scoring.StoredEvaluation{1: {UID: 1}}))
	must.Get(b.bus.Rounds.AddMaintainers(b.ctx, "r1", jobstream.Maintainers{Requests: 1}))(t)
	must.Do(t, b.bus.Outcomes.Put(b.ctx, "r1", 1, []byte(`{"version":1}`)))
	replay := func(bus *jobstream.Bus) error {
		r, err := bus.Rounds.Replay(b.ctx, "r1", 1)
		if err == nil && r.Damage != "" {
			err = &jobstream.ValueError{Err: errors.Join(jobstream.ErrSignature, errors.New(r.Damage))}
		}
		return err
	}
	reads := map[string]func(*jobstream.Bus) error{
		job.ManifestKey("r1"):    func(bus *jobstream.Bus) error { _, err := bus.Rounds.Manifest(b.ctx, "r1"); return err },
		job.ReplayKey("r1", 1):   replay,
		job.SnapshotKey("r1"):    func(bus *jobstream.Bus) error { _, err := bus.Rounds.Snapshot(b.ctx, "r1"); return err },
		job.MaintainersKey("r1"): func(bus *jobstream.Bus) error { _, err := bus.Rounds.Maintainers(b.ctx, "r1"); return err },
		job.OutcomeKey("r1", 1):  func(bus *jobstream.Bus) error { _, err := bus.Outcomes.Load(b.ctx, "r1", 1); return err },
	}
	bucket := b.bus.Bucket(job.BucketRounds)
	encoder := must.Get(zstd.NewWriter(nil))(t)
	decoder := must.Get(zstd.NewReader(nil))(t)
	t.Cleanup(decoder.Close)
	for key, read := range reads {
		for _, bus := range []*jobstream.Bus{b.bus, plain, viewer} {
			must.Check(t, read(bus))
		}
		whole := must.Get(decoder.DecodeAll(must.Get(bucket.Get(b.ctx, key))(t).Value(), nil))(t)
		signature, data, err := signing.Open(whole)
		must.Do(t, err)
		changed := append([]byte(`{"requests":7,`), data[1:]...)
		for name, forged := range map[string][]byte{
			"changed under its signature": signature.Seal(changed), "without a signature": data,
			"signed by another key":      stranger.Sign(key, signing.Digest(data)).Seal(data),
			"signed as something else":   signs.Sign("r2"+key[2:], signing.Digest(data)).Seal(data),
			"signed in another's name":   signing.Signature{SignedBy: signature.SignedBy, Signature: stranger.Sign(key, signing.Digest(data)).Signature}.Seal(data),
			"with a signature cut short": whole[:20],
		} {
			must.Get(bucket.Put(b.ctx, key, encoder.EncodeAll(forged, nil)))(t)
			for _, bus := range []*jobstream.Bus{b.bus, viewer} {
				if err := read(bus); !errors.Is(err, jobstream.ErrSignature) || !jobstream.Damaged(err) {
					t.Errorf("%s, %s: got %v, want it damaged by its signature", key, name, err)
				}
			}
		}
		must.Get(bucket.Put(b.ctx, key, encoder.EncodeAll(whole, nil)))(t)
		must.Check(t, read(viewer))
	}
	must.Get(bucket.Put(b.ctx, job.ManifestKey("r1"), encoder.EncodeAll([]byte(`{"version":1,"round":"r1","mirror":"another"}`), nil)))(t)
	if did, err := b.bus.Rounds.RestoreManifest(b.ctx, m); err != nil || !did {
		t.Errorf("putting a changed manifest back: %t, %v", did, err)
	}
	if got := must.Get(viewer.Rounds.Manifest(b.ctx, "r1"))(t); got.Mirror != "" || got.SignedBy == "" || got.SHA256 == "" {
		t.Errorf("the manifest that was put back: %+v", got)
	}
}

// An outcome of several messages is verified before any part of it is read.
func TestALargeOutcomeIsVerifiedFirst(t *testing.T) {
	t.Parallel()
	signs, verifies := signingtest.Keys(t)
	b := setup(t, jobstream.Config{Keys: signs})
	viewer, _ := jobstreamtest.Open(t, b.servers.NATSURL(), jobstream.Config{Role: jobstream.RoleViewer, Keys: verifies})
	want := `{"version":1,"mirror":"` + noise(3<<20) + `"}`
	must.Do(t, b.bus.Outcomes.Put(b.ctx, "r1", 1, []byte(want)))
	stored := must.Get(viewer.Outcomes.Open(b.ctx, "r1", 1))(t)
	got := must.Get(io.ReadAll(stored))(t)
	must.Check(t, stored.Close())
	if string(got) != want || stored.SHA256 != signing.Digest(got) {
		t.Errorf("read %d bytes, digest %s; want %d bytes", len(got), stored.SHA256, len(want))
	}
	must.Get(b.bus.Outcomes.Replace(b.ctx, "r1", 1, nil, func([]byte) error { return nil }))(t) // it stays
	plain, _ := jobstreamtest.Open(t, b.servers.NATSURL(), jobstream.Config{})
	changed := strings.Replace(want, `"version":1`, `"version":2`, 1)
	if did := must.Get(plain.Outcomes.Replace(b.ctx, "r1", 1, []byte(changed), func([]byte) error { return io.EOF }))(t); !did {
		t.Fatal("the outcome was not replaced")
	}
	if _, err := viewer.Outcomes.Open(b.ctx, "r1", 1); !errors.Is(err, jobstream.ErrSignature) || !jobstream.Damaged(err) {
		t.Errorf("got %v, want it damaged by its signature", err)
	}
}

// An outcome that unpacks to more than the allowed size is damaged. It is read up to that
// size and no further.
func TestAnOutcomeThatUnpacksToTooMuchIsDamaged(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	must.Do(t, b.bus.Outcomes.Put(b.ctx, "r1", 1, []byte(`{"version":1}`)))
	encoder := must.Get(zstd.NewWriter(nil))(t)
	const part, maximum = 64 << 20, 1 << 30
	frame := encoder.EncodeAll(make([]byte, part), nil) // several frames are one content
	packed := append(bytes.Repeat(frame, maximum/part), encoder.EncodeAll([]byte{0}, nil)...)
	must.Get(b.bus.Bucket(job.BucketRounds).Put(b.ctx, job.OutcomeKey("r1", 1), packed))(t)
	if _, err := b.bus.Outcomes.Open(b.ctx, "r1", 1); !jobstream.Damaged(err) || !strings.Contains(err.Error(), "more than 1073741824 bytes") {
		t.Errorf("got %v, want it damaged by its size", err)
	}
}
