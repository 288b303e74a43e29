package backup_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/producer/backup"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/cluster"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/jobstream/kv"
	"mirrorfleet/shared/must"
)

// A stream that is declared and not backed up would be lost, as those of warm-ups and of
// signs of life are; the tests of what refers to what are of this order.
func TestEveryStreamIsBackedUp(t *testing.T) {
	t.Parallel()
	got, want := append(backup.Order(), job.StreamWarm, "KV_"+job.BucketWorkers), jobstream.StreamNames()
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("streams of a backup (-declared +got):\n%s", diff)
	}
}

// taken backs a fleet up with the producer's permissions.
func (f *fleet) taken(cfg backup.Config) (backup.Manifest, string) {
	f.t.Helper()
	cfg.Dir = filepath.Join(f.t.TempDir(), "backup")
	return must.Get(backup.Take(f.ctx, f.connect(cluster.Producer), cfg))(f.t), cfg.Dir
}

// restored puts a backup into these servers.
func (f *fleet) restored(dir string, replicas int) backup.Restored {
	f.t.Helper()
	done := must.Get(backup.Restore(f.ctx, f.connect(cluster.Producer), backup.Config{Dir: dir, Replicas: replicas}, jobstreamtest.Quiet()))(f.t)
	f.open()
	return done
}

// same compares the outcomes of two runs of a round: how the work went may
// differ, what came of it must not.
func same(t *testing.T, what string, got, want outcome.Result) {
	t.Helper()
	asJSON := func(r outcome.Result) string { return string(must.Get(json.MarshalIndent(r.Outcome, "", " "))(t)) }
	if diff := cmp.Diff(asJSON(want), asJSON(got)); diff != "" {
		t.Errorf("%s: outcome (-undisturbed +restored):\n%s", what, diff)
	}
	if got.Revision != want.Revision {
		t.Errorf("%s: revision %d, want %d", what, got.Revision, want.Revision)
	}
}

// From one server to three: a backup that is taken while a round goes on, with a
// round in each other state beside it, gives the undisturbed outcomes.
func TestARoundInEachStateIsRestored(t *testing.T) {
	t.Parallel()
	const miners, before = 40, 5
	one := servers(t, 1).open()
	tokens := make(chan struct{}, miners)
	one.work(gated("r-running", tokens))
	one.inEachState()
	running := one.start(manifest("r-running", miners))
	allow(tokens, before)
	must.Until(one.ctx, t, "some jobs are done", func() bool { return one.done("r-running") >= before })
	allow(tokens, before) // which end while the backup is taken
	m, dir := one.taken(backup.Config{})
	if slices.ContainsFunc(m.Streams, func(s backup.Stream) bool { return s.Name == "KV_SCORES" }) {
		t.Error("the cache is in the backup, and nobody asked for it")
	}
	close(tokens) // an attempt that is made again needs one, too
	want := map[string]outcome.Result{
		"r-concluded": one.resumed("r-concluded"), "r-running": must.Receive(one.ctx, t, running, "the undisturbed outcome"),
		"r-planned": one.resumed("r-planned"), "r-dead": one.resumed("r-dead"),
	}

	three := servers(t, 3)
	three.restored(dir, 3)
	three.work(evaluated)
	for name, undisturbed := range want {
		same(t, name, three.resumed(name), undisturbed)
	}
	three.declared(3)
}

// declared wants the declared settings, and so many copies of everything.
func (f *fleet) declared(replicas int) {
	f.t.Helper()
	seen := must.Get(jobstream.Inspect(f.ctx, f.connect(cluster.Producer), jobstream.Config{Log: jobstreamtest.Quiet()}))(f.t)
	for _, s := range seen.Streams {
		if s.Missing || len(s.Drift) > 0 || s.Mismatch != nil || s.Replicas != replicas {
			f.t.Errorf("restored stream %+v, want it as declared, with %d copies", s, replicas)
		}
	}
	if seen.Consumer == nil || len(seen.Consumer.Drift) > 0 {
		f.t.Errorf("the workers' consumer is %+v, want it as declared", seen.Consumer)
	}
}

// once calls do when a stream's first bytes come.
func once(stream string, do func()) func(string, int64) {
	seen := false
	return func(name string, _ int64) {
		if name == stream && !seen {
			seen = true
			do()
		}
	}
}

// An outcome that is written while the backup is taken is of records that have
// not ended in it; its round is restored as running, and concluded again. Were
// it kept, nobody would ever run the rest of its jobs.
func TestAnOutcomeOfMeanwhileIsMadeAgain(t *testing.T) {
	t.Parallel()
	one := servers(t, 1).open()
	allowed := make(chan struct{})
	one.work(func(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
		select {
		case <-allowed:
			return evaluated(ctx, j, a)
		case <-ctx.Done():
			return job.Evaluation{}, context.Cause(ctx)
		}
	})
	ending := one.start(manifest("r-running", 6))
	must.Until(one.ctx, t, "the jobs run", func() bool { return len(must.Get(one.bus.Records.List(one.ctx, "r-running"))(t)) == 6 })
	var undisturbed outcome.Result
	_, dir := one.taken(backup.Config{Progress: once("KV_EVALUATIONS", func() {
		close(allowed)
		undisturbed = must.Receive(one.ctx, t, ending, "the outcome")
	})})
	other := servers(t, 1)
	done := other.restored(dir, 0)
	if want := []string{"r-running.outcome.1"}; !slices.Equal(done.Reopened, want) {
		t.Errorf("reopened are %q, want %q", done.Reopened, want)
	}
	other.work(evaluated)
	same(t, "r-running", other.resumed("r-running"), undisturbed)
}

// Jobs that are published and claimed while the backup is taken: no record may be
// held by a message that comes after the restored stream's last one. (Guards
// against messages before records: every worker would be refused the job until the
// stream has come that far.)
func TestNoClaimIsAheadOfItsMessage(t *testing.T) {
	t.Parallel()
	one := servers(t, 1).open()
	one.work(gated("r-running", nil))
	m := manifest("r-running", len(backup.Order()))
	must.Do(t, one.bus.Rounds.CreateManifest(one.ctx, m))
	begun, last := map[string]bool{}, 0
	_, dir := one.taken(backup.Config{Scores: true, Progress: func(stream string, _ int64) {
		if begun[stream] {
			return
		}
		begun[stream] = true
		last++
		miner := m.Miners[last-1]
		must.Get(one.bus.Records.Plan(one.ctx, job.Plan("r-running", miner.UID, "")))(t)
		must.Do(t, one.bus.Queue.Publish(one.ctx, job.Job{Round: "r-running", UID: miner.UID, Hotkey: miner.Hotkey, GitHubID: miner.GitHubID, AsOf: asOf}))
		must.Until(one.ctx, t, "the job is claimed", func() bool {
			record, _, err := one.bus.Records.Load(one.ctx, "r-running", miner.UID)
			return err == nil && record.Claim != nil
		})
	}})
	other := servers(t, 1)
	other.restored(dir, 0)
	js := must.Get(jetstream.New(other.connect(cluster.Producer)))(t)
	jobs := must.Get(js.Stream(other.ctx, job.StreamJobs))(t).CachedInfo().State
	for _, r := range must.Get(other.bus.Records.List(other.ctx, "r-running"))(t) {
		if r.Claim != nil && r.Claim.Sequence > jobs.LastSeq {
			t.Errorf("miner %d is held by message %d, and the stream ends with %d", r.UID, r.Claim.Sequence, jobs.LastSeq)
		}
	}
	other.work(evaluated)
	if got := other.resumed("r-running"); got.Done != len(m.Miners) || len(got.DeadLetters) > 0 {
		t.Errorf("%d done, %v, want %d and no dead letter", got.Done, got.DeadLetters, len(m.Miners))
	}
}

// What is left of a round that was forgotten meanwhile is forgotten, too: its
// messages would become dead letters of a round that nobody knows. One that was
// begun meanwhile is there, as far as it had come.
func TestRoundsThatComeAndGoMeanwhile(t *testing.T) {
	t.Parallel()
	one := servers(t, 1).open()
	must.Do(t, one.bus.Rounds.CreateManifest(one.ctx, manifest("r-gone", 1)))
	must.Get(one.bus.Records.Plan(one.ctx, job.Plan("r-gone", 1, "")))(t)
	must.Do(t, one.bus.Queue.Publish(one.ctx, job.Job{Round: "r-gone", UID: 1, Hotkey: "h1", GitHubID: "1001", AsOf: asOf}))
	_, dir := one.taken(backup.Config{Scores: true, Progress: once("KV_EVALUATIONS", func() {
		must.Do(t, one.bus.Rounds.CreateManifest(one.ctx, manifest("r-begun", 2)))
		must.Do(t, one.bus.Queue.Publish(one.ctx, job.Job{Round: "r-begun", UID: 1, Hotkey: "h1", GitHubID: "1001", AsOf: asOf}))
		must.Do(t, one.bus.Rounds.Forget(one.ctx, "r-gone"))
	})})
	other := servers(t, 1)
	done := other.restored(dir, 0)
	if want := []string{"r-gone"}; !slices.Equal(done.Forgotten, want) {
		t.Errorf("forgotten are %q, want %q", done.Forgotten, want)
	}
	if left := must.Get(other.bus.Records.List(other.ctx, "r-gone"))(t); len(left) > 0 {
		t.Errorf("of the forgotten round there are %v", left)
	}
	other.work(evaluated)
	if got := other.resumed("r-begun"); got.Done != 2 || len(got.DeadLetters) > 0 {
		t.Errorf("round r-begun: %d done, %v, want 2 and no dead letter", got.Done, got.DeadLetters)
	}
}

// The server reads from the first message to the last that there was: a value
// that is written anew in between would be in no snapshot. (Guards against a
// backup without its turn, its leader or a stored evaluation.)
func TestAValueThatChangesMeanwhileIsNotMissed(t *testing.T) {
	t.Parallel()
	one := servers(t, 1).open()
	rounds := one.bus.Bucket(job.BucketRounds)
	for i := range 40 { // more than the server sends before it is answered
		must.Get(rounds.Put(one.ctx, fmt.Sprintf("noise.%d", i), noise()))(t)
	}
	must.Get(rounds.Put(one.ctx, "schedule.turn", []byte("before")))(t)
	m, dir := one.taken(backup.Config{Progress: once("KV_ROUNDS", func() {
		must.Get(rounds.Put(one.ctx, "schedule.turn", []byte("after")))(t)
	})})
	if last := m.Streams[len(m.Streams)-1]; last.Name != "KV_ROUNDS" || last.Removed != 0 {
		t.Errorf("the last stream is %s, with %d values removed under it, want KV_ROUNDS and none", last.Name, last.Removed)
	}
	other := servers(t, 1)
	other.restored(dir, 0)
	leader := must.Get(other.connect(cluster.Producer).JetStream())(t)
	entry := must.Get(kv.ReadLeader(other.ctx, leader, job.BucketRounds, "schedule.turn"))(t)
	if got := string(entry.Value()); got != "after" {
		t.Errorf("the value is %q, want \"after\"", got)
	}
}

// The directory is its owner's alone; what is there already stays; nothing is
// declared on servers that are no fleet's.
func TestTakeRefuses(t *testing.T) {
	t.Parallel()
	f := servers(t, 1)
	nc := f.connect(cluster.Producer)
	refused := func(dir string, want ...string) {
		t.Helper()
		_, err := backup.Take(f.ctx, nc, backup.Config{Dir: dir})
		refusedWith(t, err, want...)
	}
	refused(filepath.Join(t.TempDir(), "new"), "MINER_JOBS", "not there")
	if streams := f.streams(); len(streams) > 0 {
		t.Errorf("a backup declared %v", streams)
	}
	f.open()
	full := t.TempDir()
	must.Do(t, os.WriteFile(filepath.Join(full, "notes.txt"), nil, 0o600))
	refused(full, full, "not empty", "notes.txt")
	short := t.TempDir()
	must.Do(t, os.WriteFile(filepath.Join(short, "KV_ROUNDS.arc.s2"), nil, 0o600))
	refused(short, short, "cut short", "remove it")
	_, dir := f.taken(backup.Config{})
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "manifest.json"): 0o600, filepath.Join(dir, "KV_ROUNDS.arc.s2"): 0o600} {
		if got := must.Get(os.Stat(path))(t).Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
}

// refusedWith wants an error that is a refusal and says why.
func refusedWith(t *testing.T, err error, want ...string) {
	t.Helper()
	refused := err != nil && strings.Contains(err.Error(), backup.ErrRefused.Error())
	for _, w := range want {
		refused = refused && strings.Contains(err.Error(), w)
	}
	if !refused {
		t.Errorf("got %v, want a refusal with %q", err, want)
	}
}

// streams lists what the servers hold of a fleet: a producer may not ask for all.
func (f *fleet) streams() (names []string) {
	f.t.Helper()
	js := must.Get(jetstream.New(f.connect(cluster.Producer)))(f.t)
	for _, name := range jobstream.StreamNames() {
		stream, err := js.Stream(f.ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		must.Do(f.t, err)
		names = append(names, name+" "+stream.CachedInfo().State.LastTime.Format(time.RFC3339Nano))
	}
	return names
}

// A backup that is broken off, by a signal or because the server died, has no
// manifest: a restore refuses it, and so does another backup into its directory.
func TestABackupThatIsBrokenOffIsNone(t *testing.T) {
	t.Parallel()
	f := servers(t, 1).open()
	kv := f.openAs(cluster.Worker).Bucket(job.BucketEvaluation)
	for i := range 40 { // more than the server sends before it is answered
		must.Get(kv.Put(f.ctx, fmt.Sprintf("noise.%d.x", i), noise()))(t)
	}
	stopped, cancel := context.WithCancel(f.ctx)
	for _, c := range []struct {
		ctx      context.Context //nolint:containedctx // of one call
		breakOff func()
		want     error
	}{{stopped, cancel, context.Canceled}, {f.ctx, func() { f.servers.Kill(0) }, backup.ErrCutOff}} {
		dir := filepath.Join(t.TempDir(), "backup")
		nc := f.connect(cluster.Producer)
		_, err := backup.Take(c.ctx, nc, backup.Config{Dir: dir, Progress: once("KV_EVALUATIONS", c.breakOff)})
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), "KV_EVALUATIONS") {
			t.Errorf("broken off: %v, want %v at KV_EVALUATIONS", err, c.want)
		}
		if _, err := os.Stat(filepath.Join(dir, "manifest.json")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the manifest: %v, want none", err)
		}
		_, err = backup.Take(f.ctx, nc, backup.Config{Dir: dir})
		refusedWith(t, err, dir, "cut short", "remove it")
		_, err = backup.Restore(f.ctx, nc, backup.Config{Dir: dir}, jobstreamtest.Quiet())
		refusedWith(t, err, dir, "cut short")
	}
}

// noise is a value that does not compress.
func noise() []byte {
	data := make([]byte, 512<<10)
	_, _ = rand.Read(data) // it never fails
	return data
}
