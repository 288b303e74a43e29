package loss_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/must"
)

// spoilt is what a disk does to one file.
type spoilt struct {
	path string
	// at is where in the file, as a share of its length; cut says that the rest is
	// missing, otherwise one bit is another.
	at  float64
	bit int
	cut bool
}

func (s spoilt) String() string {
	what := fmt.Sprintf("bit %d", s.bit)
	if s.cut {
		what = "cut"
	}
	return fmt.Sprintf("%s at %.2f of %s", what, s.at, s.path)
}

// do spoils the file; one that is empty stays as it is.
func (s spoilt) do(dir string) error {
	path := filepath.Join(dir, s.path)
	data, err := os.ReadFile(path)
	if err != nil || len(data) == 0 {
		return err
	}
	at := int(s.at * float64(len(data)))
	if s.cut {
		return os.Truncate(path, int64(at))
	}
	data[at] ^= 1 << s.bit
	return os.WriteFile(path, data, 0o600)
}

// spoil draws a file of those that a server has, and what becomes of it.
func spoil(rng *rand.Rand, dir string) (s spoilt, err error) {
	var files []string
	err = fs.WalkDir(os.DirFS(dir), ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return s, err
	}
	// Half of what is spoilt is where the messages are.
	if rng.IntN(2) == 0 {
		var blocks []string
		for _, file := range files {
			if strings.HasSuffix(file, ".blk") {
				blocks = append(blocks, file)
			}
		}
		files = blocks
	}
	return spoilt{path: files[rng.IntN(len(files))], at: rng.Float64(), bit: rng.IntN(8), cut: rng.IntN(3) == 0}, nil
}

// starts brings the server back, whatever its disk is like. If it does not start, or
// says that a stream is not there, the operator does what docs/backup.md says: he
// takes the stream's directory away.
func (d *disk) starts(s spoilt) {
	must.Check(d.t, d.cluster.Restart(0))
	ctx, cancel := context.WithTimeoutCause(d.s.ctx, 5*time.Second, errors.New("not healthy"))
	defer cancel()
	err := d.cluster.Healthy(ctx)
	if err == nil {
		return
	}
	d.t.Logf("%s: the operator sees: %v", s, err)
	d.cluster.Kill(0)
	stream, _, _ := strings.Cut(s.path, "/")
	must.Check(d.t, os.RemoveAll(filepath.Join(d.cluster.Streams(0), stream)))
	must.Check(d.t, d.cluster.Restart(0))
	must.Check(d.t, d.cluster.Healthy(d.s.ctx))
}

// spoilDisk cuts the power at a tick, and one file is not what it was.
func spoilDisk(t *testing.T, seed uint64) {
	t.Helper()
	want := calmly(t)
	d := onDisk(t)
	rng := rand.New(rand.NewPCG(seed, 23))
	d.s.ticks.at(1+rng.IntN(want.ticks), func() {
		d.cluster.Kill(0)
		s := must.Get(spoil(rng, d.cluster.Streams(0)))(t)
		t.Log(s)
		must.Check(t, s.do(d.cluster.Streams(0)))
		d.starts(s)
	})
	d.s.play()
	d.s.judge(want)
}

// TestASpoiltDiskIsNoSilentDifference: a bit that is another, or a file that is cut
// short, on the disk of a server that was down, costs what was there, and nothing
// without a word.
func TestASpoiltDiskIsNoSilentDifference(t *testing.T) {
	t.Parallel()
	first, runs := seeds(t)
	for seed := first; seed < first+runs; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { t.Parallel(); spoilDisk(t, seed) })
	}
}
