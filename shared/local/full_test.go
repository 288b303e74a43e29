package local_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/disktest"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

// diskSize is a disk with room for the start, and for little else.
const diskSize = 24 << 20

// What is logged when a disk is full, and when it is no longer.
const (
	stopped   = "NATS cannot write and is stopped"
	restarted = "there is room again: NATS was restarted"
)

// fleet writes to a bucket on a small disk and keeps what was confirmed.
type fleet struct {
	*local.Servers

	ctx       context.Context //nolint:containedctx // the test's own, with its patience
	disk      disktest.Disk
	cfg       local.Config
	log       telemetrytest.Log
	kv        jetstream.KeyValue
	confirmed map[string]string
}

// onDisk starts servers on a small disk, and writes a little.
func onDisk(t *testing.T, disk disktest.Disk) *fleet {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	f := &fleet{ctx: ctx, disk: disk, confirmed: map[string]string{}}
	f.cfg = local.Config{Dir: filepath.Join(disk.Dir, "state"), Log: f.log.Logger()}
	f.start(t)
	f.write(t, 100)
	return f
}

func (f *fleet) start(t *testing.T) {
	t.Helper()
	s := must.Get(local.Start(f.ctx, f.cfg))(t)
	t.Cleanup(func() { must.Check(t, s.Close()) })
	f.Servers = s
	nc := must.Get(nats.Connect(s.NATSURL(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond)))(t)
	t.Cleanup(nc.Close)
	js := must.Get(jetstream.New(nc))(t)
	// The bound is far beyond the disk.
	f.kv = must.Get(js.CreateOrUpdateKeyValue(f.ctx, jetstream.KeyValueConfig{Bucket: "B", MaxBytes: 512 << 20}))(t)
}

// put tries to write one value, and says whether it was confirmed.
func (f *fleet) put() bool {
	key, value := fmt.Sprintf("key-%d", len(f.confirmed)), rand.Text()
	ctx, cancel := context.WithTimeout(f.ctx, 2*time.Second)
	defer cancel()
	if _, err := f.kv.PutString(ctx, key, value); err != nil {
		return false
	}
	f.confirmed[key] = value
	return true
}

func (f *fleet) write(t *testing.T, n int) {
	t.Helper()
	for range n {
		must.Until(f.ctx, t, "a value is confirmed", f.put)
	}
}

// fill fills the disk and writes until NATS has been stopped.
func (f *fleet) fill(t *testing.T) {
	t.Helper()
	before := f.log.Count(stopped)
	f.disk.Fill(t)
	must.Until(f.ctx, t, "NATS is stopped", func() bool { f.put(); return f.log.Count(stopped) > before })
}

// kept compares what there is with what was confirmed.
func (f *fleet) kept(t *testing.T) {
	t.Helper()
	found := map[string]string{}
	for key := range maps.Keys(f.confirmed) {
		if entry, err := f.kv.Get(f.ctx, key); err == nil {
			found[key] = string(entry.Value())
		}
	}
	if !maps.Equal(found, f.confirmed) {
		t.Errorf("%d values were confirmed, and %d of them are there", len(f.confirmed), len(found))
	}
}

// TestAFullDiskIsWaitedFor: NATS goes on serving after a write has failed, and
// confirms nothing more to that stream, whatever room there is later.
func TestAFullDiskIsWaitedFor(t *testing.T) {
	t.Parallel()
	disktest.On(t, diskSize, func(disk disktest.Disk) {
		f := onDisk(t, disk)
		for i := range 3 {
			f.fill(t)
			disk.Free(t)
			must.Until(f.ctx, t, "NATS is restarted", func() bool { return f.log.Count(restarted) == i+1 })
			f.write(t, 100) // by the same connection
			f.kept(t)
		}
		must.Do(t, f.Close())
		f.start(t)
		f.kept(t)
		select {
		case err := <-f.Lost():
			t.Errorf("lost: %v", err)
		default:
		}
	})
}

// TestCloseOnAFullDisk: it waits for no room, neither before nor while NATS is
// restarted, and what was confirmed is there afterwards.
func TestCloseOnAFullDisk(t *testing.T) {
	t.Parallel()
	disktest.On(t, diskSize, func(disk disktest.Disk) {
		f := onDisk(t, disk)
		for _, freed := range []bool{false, true} {
			f.fill(t)
			if freed {
				disk.Free(t)
			}
			must.Do(t, f.Close())
			if !freed {
				disk.Free(t)
			}
			f.start(t)
			f.kept(t)
		}
	})
}

// TestNoRoomAtTheStart is an error with the directory and the room.
func TestNoRoomAtTheStart(t *testing.T) {
	t.Parallel()
	disktest.On(t, 1<<20, func(disk disktest.Disk) {
		for _, fill := range []func(){func() {}, func() { disk.Fill(t) }} {
			fill()
			dir := filepath.Join(disk.Dir, "state")
			_, err := local.Start(t.Context(), local.Config{Dir: dir, Log: quiet()})
			var full *local.FullError
			if !errors.As(err, &full) || full.Dir != dir || full.Room > 1<<20 || full.Want <= full.Room {
				t.Errorf("got %v, want a FullError about %s", err, dir)
			}
		}
	})
}

// TestARemovedDirectory: NATS goes on without its files, and what it confirms is
// nowhere.
func TestARemovedDirectory(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(dir string) error{
		"removed": os.RemoveAll,
		"replaced": func(dir string) error {
			return errors.Join(os.Rename(dir, dir+".old"), os.MkdirAll(filepath.Join(dir, "nats"), 0o700))
		},
	} {
		dir := filepath.Join(t.TempDir(), "state")
		s := start(t, local.Config{Dir: dir})
		must.Do(t, spoil(dir))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if err := must.Receive(ctx, t, s.Lost(), "the loss"); !errors.Is(err, local.ErrRemoved) {
			t.Errorf("%s: got %v, want ErrRemoved", name, err)
		}
		cancel()
		must.Check(t, s.Close())
	}
}
