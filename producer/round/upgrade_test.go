package round_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/worker/lease"
)

// recordState makes TestRecordARoundHalfDone record: once for each version of
// the wire, by the last build that writes it.
var recordState = flag.Bool("record-state", false, "record a round half done by this build in testdata/upgrade")

// stateOf is what is recorded of a version: all that NATS keeps on its disk.
func stateOf(version int) string {
	return filepath.Join("testdata", "upgrade", fmt.Sprintf("v%d.tar.gz", version))
}

// seven are miners of whom, when the round is half done, two are done, one is
// degraded, one is dead, one's worker has died, and one waits.
func seven() []scoring.Miner {
	var miners []scoring.Miner
	for _, uid := range []int{0, 4, 2, 6, 7, 1, 5} { // in the order in which their jobs are taken
		miners = append(miners, scoring.Miner{UID: uid, Hotkey: fmt.Sprintf("h%d", uid), GitHubID: fmt.Sprint(100 + uid)})
	}
	return miners
}

// byUID ends a job as its miner's does: 6 is dead, 7 is degraded.
func byUID(_ context.Context, j job.Job, _ lease.Attempt) (job.Evaluation, error) {
	e := evaluated(j, float64(j.UID))
	switch j.UID {
	case 6:
		return job.Evaluation{}, job.WithClass(job.Permanent, errors.New("status 404"))
	case 7:
		e.Missing = []job.Missing{{What: "files a/b#9", Error: "status 503"}}
	}
	return e, nil
}

// A round that the version before has begun, and that nobody has looked after
// since, is ended by this one: nobody is evaluated again, and the outcome is
// that of a round that was never disturbed.
func TestARoundOfTheVersionBeforeIsEnded(t *testing.T) {
	t.Parallel()
	undisturbed := setup(t, jobstream.Config{})
	undisturbed.work(t, byUID)
	want, err := undisturbed.runner(t).Start(deadline(t), undisturbed.plan(t, seven()...))
	must(t, err)
	for version := 1; version <= job.Version; version++ {
		dir := t.TempDir()
		if err := unpackState(stateOf(version), filepath.Join(dir, "nats")); err != nil {
			t.Fatalf("version %d: %v (the last build that writes it records it with -record-state)", version, err)
		}
		b := setupOn(t, dir, jobstream.Config{})
		rounds, err := b.bus.Rounds(t.Context())
		if err != nil || len(rounds) != 1 {
			t.Fatalf("version %d: the rounds are %v, %v; want one", version, rounds, err)
		}
		records, err := b.bus.Records(t.Context(), rounds[0])
		must(t, err)
		phases := map[job.Phase]int{}
		for _, r := range records {
			phases[r.Phase]++
		}
		if diff := cmp.Diff(map[job.Phase]int{job.Done: 3, job.Failed: 1, job.Running: 1, job.Planned: 1}, phases); diff != "" {
			t.Fatalf("version %d: what was recorded is no round half done (-want +got):\n%s", version, diff)
		}
		var mu sync.Mutex
		var ran []int
		b.work(t, func(ctx context.Context, j job.Job, a lease.Attempt) (job.Evaluation, error) {
			mu.Lock()
			ran = append(ran, j.UID)
			mu.Unlock()
			return byUID(ctx, j, a)
		})
		got, err := b.runner(t).Resume(deadline(t), rounds[0])
		must(t, err)
		mu.Lock()
		slices.Sort(ran)
		if diff := cmp.Diff([]int{1, 5}, ran); diff != "" {
			t.Errorf("version %d: evaluated by this build (-want +got):\n%s", version, diff)
		}
		mu.Unlock()
		if got.Done != want.Done || got.Failed != want.Failed || len(got.Degraded) != 1 || len(got.DeadLetters) != 1 {
			t.Errorf("version %d: done %d, failed %d, degraded %v, dead %v; want those of the undisturbed round",
				version, got.Done, got.Failed, got.Degraded, got.DeadLetters)
		}
		wantOutcome, err := json.Marshal(want.Outcome)
		must(t, err)
		gotOutcome, err := json.Marshal(got.Outcome)
		must(t, err)
		if diff := cmp.Diff(string(wantOutcome), string(gotOutcome)); diff != "" {
			t.Errorf("version %d: the outcome (-undisturbed +got):\n%s", version, diff)
		}
		b.holds(t, rounds[0])
	}
}

// A round half done, as a crash of the whole machine leaves it: the worker and
// the producer are killed, then the servers end. Not part of the suite.
func TestRecordARoundHalfDone(t *testing.T) { //nolint:paralleltest // it is run alone
	if !*recordState {
		t.Skip("-record-state records")
	}
	dir := t.TempDir()
	b := setupOn(t, dir, jobstream.Config{AckWait: time.Second})
	m := b.plan(t, seven()...)
	m.Mirror = "http://127.0.0.1:1"
	produced := make(chan bool, 1)
	go func() { produced <- b.produce(t, m, 10*time.Second) }()
	worker := exec.Command(os.Args[0], "-test.run=^$")
	worker.Env, worker.Stderr = append(os.Environ(), workerEnv+"="+b.nats), os.Stderr
	stdin, err := worker.StdinPipe()
	must(t, err)
	defer stdin.Close()
	var exit *exec.ExitError
	if err := worker.Run(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the worker: %v, want it killed by its job", err)
	}
	if <-produced {
		t.Fatal("the round was ended")
	}
	must(t, b.stop())
	must(t, packState(filepath.Join(dir, "nats"), stateOf(job.Version)))
}

func packState(dir, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	packed := gzip.NewWriter(file)
	archive := tar.NewWriter(packed)
	return errors.Join(archive.AddFS(os.DirFS(dir)), archive.Close(), packed.Close(), file.Close())
}

func unpackState(path, dir string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	archive := tar.NewReader(unpacked)
	for {
		header, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case !filepath.IsLocal(header.Name):
			return fmt.Errorf("%s leads out of the archive", header.Name)
		}
		name := filepath.Join(dir, header.Name)
		if header.Typeflag == tar.TypeDir {
			err = os.MkdirAll(name, 0o750)
		} else {
			var data []byte
			if data, err = io.ReadAll(archive); err == nil {
				err = errors.Join(os.MkdirAll(filepath.Dir(name), 0o750), os.WriteFile(name, data, 0o600))
			}
		}
		if err != nil {
			return err
		}
	}
}
