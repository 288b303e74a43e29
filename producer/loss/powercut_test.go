package loss_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/cluster"
	"mirrorfleet/shared/must"
)

// streams are all that the fleet has, as the server calls them.
var streams = jobstream.StreamNames()

// disk is what a server has on its disk.
type disk struct {
	t       *testing.T
	s       *stage
	cluster *cluster.Cluster
	kept    string // where copies are
}

// onDisk is a fleet at a server whose disk something happens to.
func onDisk(t *testing.T) *disk {
	t.Helper()
	c := cluster.Start(t.Context(), t, cluster.Config{Settings: filepath.Join("..", "..", "deploy", "nats", "settings.conf"), Nodes: 1})
	return &disk{t: t, s: newStage(t, c.URL(cluster.Producer), c.URL(cluster.Worker)), cluster: c, kept: t.TempDir()}
}

// copy keeps streams as they are at this instant.
func (d *disk) copy(streams []string) {
	err := d.cluster.Frozen(0, func() error {
		var errs []error
		for _, name := range streams {
			err := os.CopyFS(filepath.Join(d.kept, name), os.DirFS(filepath.Join(d.cluster.Streams(0), name)))
			if !errors.Is(err, fs.ErrNotExist) { // not made yet
				errs = append(errs, err)
			}
		}
		return errors.Join(errs...)
	})
	must.Check(d.t, err)
}

// setBack cuts the power: the server comes back with the streams that were kept
// as they were then.
func (d *disk) setBack(streams []string) {
	d.cluster.Kill(0)
	for _, name := range streams {
		must.Check(d.t, os.RemoveAll(filepath.Join(d.cluster.Streams(0), name)))
		if err := os.Rename(filepath.Join(d.kept, name), filepath.Join(d.cluster.Streams(0), name)); !errors.Is(err, fs.ErrNotExist) {
			must.Check(d.t, err)
		}
	}
	must.Check(d.t, d.cluster.Restart(0))
	must.Check(d.t, d.cluster.Healthy(d.s.ctx))
}

// powerCut has the streams fall back at a tick to what they were at an earlier one.
func powerCut(t *testing.T, streams []string, from, to int) {
	t.Helper()
	want := calmly(t)
	d := onDisk(t)
	d.s.ticks.at(from, func() { d.copy(streams) })
	d.s.ticks.at(to, func() { d.setBack(streams) })
	d.s.play()
	d.s.judge(want)
}

// TestAPowerCutCostsNoRound: what a server has confirmed and lost again with a
// stream costs what was in it; the round ends, and so does the next.
func TestAPowerCutCostsNoRound(t *testing.T) {
	t.Parallel()
	ticks := calmly(t).ticks
	first, runs := seeds(t)
	for _, name := range streams {
		t.Run(name, func(t *testing.T) { t.Parallel(); powerCut(t, []string{name}, ticks/2-6, ticks/2+6) })
	}
	for i, name := range streams {
		for _, other := range streams[i+1:] {
			if all() {
				t.Run(name+" and "+other, func(t *testing.T) { t.Parallel(); powerCut(t, []string{name, other}, ticks/2-6, ticks/2+6) })
			}
		}
	}
	for seed := first; seed < first+runs; seed++ {
		set, from, to := drawn(seed, ticks)
		t.Run(fmt.Sprintf("seed %d: %s from %d to %d of %d", seed, strings.Join(set, "+"), from, to, ticks), func(t *testing.T) {
			t.Parallel()
			powerCut(t, set, from, to)
		})
	}
}

// drawn are streams, and two instants, the first before the second.
func drawn(seed uint64, ticks int) (set []string, from, to int) {
	rng := rand.New(rand.NewPCG(seed, 17))
	for len(set) == 0 {
		for _, name := range streams {
			if rng.IntN(3) == 0 {
				set = append(set, name)
			}
		}
	}
	to = 2 + rng.IntN(ticks-1)
	return set, 1 + rng.IntN(to-1), to
}
