package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/producer/backup"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/cluster"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
)

// copied is a backup of its own to spoil.
func copied(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "spoilt")
	must.Do(t, os.CopyFS(to, os.DirFS(dir)))
	return to
}

// edit changes a file.
func edit(t *testing.T, dir, name string, change func([]byte) []byte) {
	t.Helper()
	path := filepath.Join(dir, name)
	must.Do(t, os.WriteFile(path, change(must.Get(os.ReadFile(path))(t)), 0o600))
}

// A backup that is not whole, or not this build's, is refused by name before
// anything is written.
func TestASpoiltBackupIsRefusedWhole(t *testing.T) {
	t.Parallel()
	one := servers(t, 1).open()
	one.work(evaluated)
	one.concluded(manifest("r-concluded", 3))
	_, dir := one.taken(backup.Config{})
	empty := servers(t, 1)
	replaced := func(from, to string) func(string) {
		return func(dir string) {
			edit(t, dir, "manifest.json", func(data []byte) []byte {
				if !bytes.Contains(data, []byte(from)) {
					t.Errorf("the manifest has no %s", from)
				}
				return bytes.Replace(data, []byte(from), []byte(to), 1)
			})
		}
	}
	for name, c := range map[string]struct {
		spoil func(dir string)
		want  []string
	}{
		"no directory":   {func(dir string) { must.Do(t, os.RemoveAll(dir)) }, []string{"there is no backup"}},
		"cut short":      {func(dir string) { must.Do(t, os.Remove(filepath.Join(dir, "manifest.json"))) }, []string{"cut short", "manifest.json"}},
		"no manifest":    {replaced("{", "["), []string{"manifest.json", "cannot be read"}},
		"later format":   {replaced(`"format": 1`, `"format": 2`), []string{"format 2", "reads 1"}},
		"later version":  {replaced(`"wire": 1`, `"wire": 999`), []string{"version 999"}},
		"no fleet":       {replaced(`"fleet": "`, `"fleet": "", "host": "`), []string{"names no fleet"}},
		"another file":   {replaced(`"file": "KV_RECORDS.arc.s2"`, `"file": "../KV_RECORDS.arc.s2"`), []string{"KV_RECORDS", "cannot be"}},
		"unknown stream": {replaced(`"name": "KV_RECORDS",`, `"name": "OTHER",`), []string{"OTHER", "cannot be"}},
		"missing file":   {func(dir string) { must.Do(t, os.Remove(filepath.Join(dir, "KV_MINERS.arc.s2"))) }, []string{"KV_MINERS.arc.s2", "missing"}},
		"truncated file": {func(dir string) { edit(t, dir, "KV_RECORDS.arc.s2", func(d []byte) []byte { return d[:len(d)/2] }) }, []string{"KV_RECORDS.arc.s2", "cut short"}},
		"longer file":    {func(dir string) { edit(t, dir, "KV_RECORDS.arc.s2", func(d []byte) []byte { return append(d, 0) }) }, []string{"KV_RECORDS.arc.s2", "bytes"}},
		"flipped bit": {func(dir string) {
			edit(t, dir, "KV_EVALUATIONS.arc.s2", func(d []byte) []byte { d[len(d)/2] ^= 1; return d })
		}, []string{"KV_EVALUATIONS.arc.s2", "damaged"}},
		"another's file": {func(dir string) { swap(t, dir, "KV_MINERS.arc.s2", "KV_RECORDS.arc.s2") }, []string{"KV_RECORDS.arc.s2", "manifest says"}},
		"another's bytes": {func(dir string) {
			edit(t, dir, "manifest.json", func(d []byte) []byte { return bytes.Replace(d, []byte(`"sha256": "`), []byte(`"sha256": "0`), 1) })
		}, []string{"SHA-256"}},
	} {
		spoilt := copied(t, dir)
		c.spoil(spoilt)
		_, err := backup.Restore(empty.ctx, empty.connect(cluster.Producer), backup.Config{Dir: spoilt}, jobstreamtest.Quiet())
		refusedWith(t, err, append(c.want, spoilt)...)
		if got := empty.streams(); len(got) > 0 {
			t.Fatalf("%s: there are streams now: %v", name, got)
		}
	}
}

// swap gives two files each other's names.
func swap(t *testing.T, dir, a, b string) {
	t.Helper()
	a, b = filepath.Join(dir, a), filepath.Join(dir, b)
	first, second := must.Get(os.ReadFile(a))(t), must.Get(os.ReadFile(b))(t)
	must.Do(t, errors.Join(os.WriteFile(a, second, 0o600), os.WriteFile(b, first, 0o600)))
}

// Servers that hold something else are left as they are: another fleet's, those
// of a producer that runs, and those on which a process has only just declared
// its streams.
func TestServersThatAreNotEmptyAreRefused(t *testing.T) {
	t.Parallel()
	one := servers(t, 1).open()
	one.work(evaluated)
	one.concluded(manifest("r-concluded", 3))
	m, dir := one.taken(backup.Config{})
	refused := func(f *fleet, want ...string) {
		t.Helper()
		before := f.streams()
		_, err := backup.Restore(f.ctx, f.connect(cluster.Producer), backup.Config{Dir: dir}, jobstreamtest.Quiet())
		refusedWith(t, err, want...)
		if after := f.streams(); !slices.Equal(before, after) {
			t.Errorf("streams before: %v, and after the refusal: %v", before, after)
		}
	}
	declared := servers(t, 1).open()
	refused(declared, "KV_RECORDS (empty: a process has declared it", "stop every producer and worker")

	must.Get(declared.bus.Holders.Set(declared.ctx, job.Schedule, job.Holder{Name: "host-7-abc/1", For: 1 << 30, Since: asOf}, 0))(t)
	refused(declared, "KV_ROUNDS (1 message)", "producer host-7-abc, last heard of at")

	one.concluded(manifest("r-later", 3))
	refused(one, "KV_ROUNDS", "neither overwrites nor deletes")

	other := servers(t, 1).open()
	theirs, _ := other.taken(backup.Config{})
	refused(other, m.Fleet, theirs.Fleet)
}

// The very servers that a backup was taken from are refused, though nothing was written
// since: what a restore removes at its end stays there.
func TestTheServersOfABackupAreRefused(t *testing.T) {
	t.Parallel()
	one := servers(t, 1).open()
	one.work(evaluated)
	one.concluded(manifest("r-concluded", 3))
	_, dir := one.taken(backup.Config{})
	before := one.streams()
	_, err := backup.Restore(one.ctx, one.connect(cluster.Producer), backup.Config{Dir: dir}, jobstreamtest.Quiet())
	refusedWith(t, err, dir, "the servers that backup", "was taken from", "KV_ROUNDS (", "empty directories")
	if after := one.streams(); !slices.Equal(before, after) {
		t.Errorf("streams before: %v, and after the refusal: %v", before, after)
	}
	two := servers(t, 1)
	two.restored(dir, 0) // a backup of its own is refused in the same way
	_, again := two.taken(backup.Config{})
	_, err = backup.Restore(two.ctx, two.connect(cluster.Producer), backup.Config{Dir: again}, jobstreamtest.Quiet())
	refusedWith(t, err, again, "was taken from")
}

// The mark of a key that somebody has deleted is no key: an outcome that is deleted is
// none of the backup's, and one that is made anew while it is taken is removed by a
// restore, as every outcome is that was written meanwhile.
func TestADeletedOutcomeIsNone(t *testing.T) {
	t.Parallel()
	one := servers(t, 1).open()
	one.work(evaluated)
	want := one.concluded(manifest("r-concluded", 3))
	js := must.Get(jetstream.New(one.connect(cluster.Producer)))(t)
	kv := must.Get(js.KeyValue(one.ctx, job.BucketRounds))(t)
	must.Do(t, kv.Delete(one.ctx, job.OutcomeKey("r-concluded", 1)))
	anew := once("KV_RECORDS", func() { one.resumed("r-concluded") })
	m, dir := one.taken(backup.Config{Progress: anew})
	if len(m.Outcomes) > 0 {
		t.Errorf("outcomes %q, want none before the first record was read", m.Outcomes)
	}
	two := servers(t, 1)
	done := must.Get(backup.Restore(two.ctx, two.connect(cluster.Producer), backup.Config{Dir: dir}, jobstreamtest.Quiet()))(t)
	if key := job.OutcomeKey("r-concluded", 1); !slices.Equal(done.Reopened, []string{key}) {
		t.Errorf("reopened %q, want %s", done.Reopened, key)
	}
	same(t, "r-concluded", two.open().resumed("r-concluded"), want)
}

// A restore that is stopped before a stream goes on with it: what is there as the
// backup has it stays, whatever was removed from it afterwards.
func TestAStoppedRestoreGoesOn(t *testing.T) {
	t.Parallel()
	one := servers(t, 1).open()
	one.work(evaluated)
	want := one.concluded(manifest("r-concluded", 20))
	_, dir := one.taken(backup.Config{})
	other := servers(t, 1)
	taken := slices.DeleteFunc(backup.Order(), func(name string) bool { return name == "KV_SCORES" })
	ctx, cancel := context.WithCancel(other.ctx)
	_, err := backup.Restore(ctx, other.connect(cluster.Producer), backup.Config{Dir: dir, Progress: once("KV_ROUNDS", cancel)}, jobstreamtest.Quiet())
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "KV_ROUNDS") {
		t.Fatalf("stopped at the rounds: %v, want context.Canceled and their name", err)
	}
	var done backup.Restored
	must.Until(other.ctx, t, "the restore has gone on", func() bool { // the server waits some seconds for the rest of what was begun
		done, err = backup.Restore(other.ctx, other.connect(cluster.Producer), backup.Config{Dir: dir}, jobstreamtest.Quiet())
		return err == nil
	})
	if got := done.Present[:min(len(done.Present), len(taken)-1)]; !slices.Equal(got, taken[:len(taken)-1]) {
		t.Errorf("present were %q, want all but the rounds", done.Present)
	}
	other.open()
	same(t, "r-concluded", other.resumed("r-concluded"), want)
}

// A restore that breaks off in the middle of a stream leaves a part of it, which
// the next one names, and takes for nothing whole. On servers that were emptied
// it succeeds.
func TestAHalfRestoredStreamIsNamed(t *testing.T) {
	t.Parallel()
	one := servers(t, 1).open()
	kv := one.openAs(cluster.Worker).Bucket(job.BucketEvaluation)
	for i := range 24 {
		must.Get(kv.Put(one.ctx, fmt.Sprintf("noise.%d.x", i), noise()))(t)
	}
	_, dir := one.taken(backup.Config{})
	other := servers(t, 1)
	_, err := backup.Restore(other.ctx, other.connect(cluster.Producer), backup.Config{Dir: dir, Progress: func(stream string, n int64) {
		if stream == "KV_EVALUATIONS" && n > 4<<20 {
			other.servers.Kill(0)
		}
	}}, jobstreamtest.Quiet())
	if !errors.Is(err, backup.ErrCutOff) {
		t.Errorf("the server died: %v, want ErrCutOff", err)
	}
	must.Do(t, other.servers.Restart(0))
	must.Do(t, other.servers.Healthy(other.ctx))
	_, err = backup.Restore(other.ctx, other.connect(cluster.Producer), backup.Config{Dir: dir}, jobstreamtest.Quiet())
	refusedWith(t, err, "KV_EVALUATIONS (", "a restore was broken off there", "empty directories")
	servers(t, 1).restored(dir, 0)
}
