package backup

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
	"sync"
	"time"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/kv"
	"mirrorfleet/shared/pause"
)

// Config is what a backup or a restore may choose.
type Config struct {
	// Dir is the directory of the backup. Required.
	Dir string
	// Scores takes the cache of token scores along, too. A restore takes what the
	// backup has.
	Scores bool
	// Replicas is how many copies a restore makes of each stream. Default: as
	// many as the backup's had.
	Replicas int
	// Wait is how long a restore waits for a cluster that still forms. Default: 30 s.
	Wait time.Duration
	// Progress is told how many bytes of a stream's archive have come or gone, from
	// one goroutine; may be nil.
	Progress func(stream string, bytes int64)
}

func (c Config) progress(stream string, bytes int64) {
	if c.Progress != nil {
		c.Progress(stream, bytes)
	}
}

// request bounds one request of the API.
const request = 30 * time.Second

// retryPause is between two tries of a snapshot.
const retryPause = 250 * time.Millisecond

// taking is a backup under way.
type taking struct {
	cfg     Config
	nc      *nats.Conn
	manager *jsm.Manager
	js      jetstream.JetStream
	leader  nats.JetStreamContext
	m       Manifest
}

// Take writes a backup into cfg.Dir, which must be empty or not exist. It
// declares nothing: a stream that is not there is an error that names it.
func Take(ctx context.Context, nc *nats.Conn, cfg Config) (Manifest, error) {
	if err := checkEmpty(cfg.Dir); err != nil {
		return Manifest{}, err
	}
	if err := checkServer(nc); err != nil {
		return Manifest{}, err
	}
	t := taking{cfg: cfg, nc: nc}
	var err error
	if t.manager, err = jsm.New(nc, jsm.WithTimeout(request)); err != nil {
		return Manifest{}, fmt.Errorf("backup: %w", err)
	}
	if t.js, err = jetstream.New(nc); err != nil {
		return Manifest{}, fmt.Errorf("backup: %w", err)
	}
	if t.leader, err = nc.JetStream(); err != nil {
		return Manifest{}, fmt.Errorf("backup: %w", err)
	}
	if err := t.take(ctx); err != nil {
		return Manifest{}, err
	}
	return t.m, nil
}

// checkServer refuses servers whose archives nobody could read back.
func checkServer(nc *nats.Conn) error {
	if version := nc.ConnectedServerVersion(); jobstream.Older(version, jobstream.OldestForBackups) {
		return refusef("NATS %s: backups need nats-server %s or later, whose archives can be read back and checked",
			version, jobstream.OldestForBackups)
	}
	return nil
}

// checkEmpty refuses a directory that holds anything.
func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case dir == "":
		return refusef("the directory of the backup has no name")
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return refusef("directory %s: %w", dir, err)
	case len(entries) > 0 && cutShort(entries):
		return refusef("directory %s holds a backup that was cut short: remove it, or give another", dir)
	case len(entries) > 0:
		return refusef("directory %s is not empty (%s is in it): give one that is, or that does not exist yet", dir, entries[0].Name())
	}
	return nil
}

// cutShort says whether a directory holds a part of a backup, and no whole one.
func cutShort(entries []fs.DirEntry) bool {
	return !slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		name := e.Name()
		return name != "."+manifestName && !slices.ContainsFunc(Order(), func(stream string) bool { return name == fileOf(stream) })
	})
}

func (t *taking) take(ctx context.Context) error {
	if err := t.allThere(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(t.cfg.Dir, 0o700); err != nil {
		return refusef("directory %s: %w", t.cfg.Dir, err)
	}
	if err := os.Chmod(t.cfg.Dir, 0o700); err != nil { //nolint:gosec // a directory
		return refusef("directory %s: %w", t.cfg.Dir, err)
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("looking up this host's name: %w", err)
	}
	t.m = Manifest{
		Format:   Format,
		Wire:     job.Version,
		Host:     host,
		Server:   t.nc.ConnectedServerVersion(),
		Began:    time.Now().UTC(),
		Outcomes: []string{},
	}
	if t.m.Fleet, err = t.identify(ctx); err != nil {
		return err
	}
	if err := t.snapshots(ctx, independent()); err != nil {
		return err
	}
	if t.m.Outcomes, err = keys(ctx, t.js, t.leader, job.BucketRounds, "*.outcome.*"); err != nil {
		return err
	}
	if err := t.snapshots(ctx, ordered()); err != nil {
		return err
	}
	t.m.Ended = time.Now().UTC()
	return t.m.write(t.cfg.Dir)
}

// allThere refuses before anything is written if a stream is not there.
func (t *taking) allThere(ctx context.Context) error {
	for _, name := range all() {
		if name == scores && !t.cfg.Scores {
			continue
		}
		_, err := lookUp(ctx, t.js, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return refusef("stream %s is not there: these are not the servers of a fleet, or it was deleted", name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lookUp asks for a stream, which may have no leader that answers.
func lookUp(ctx context.Context, js jetstream.JetStream, name string) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, request, fmt.Errorf("no answer within %s", request))
	defer cancel()
	stream, err := js.Stream(ctx, name)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("looking for stream %s: %w", name, err)
	}
	return stream.CachedInfo(), nil
}

// identify reads the word that identifies the fleet, or makes it.
func (t *taking) identify(ctx context.Context) (string, error) {
	rounds, err := t.js.KeyValue(ctx, job.BucketRounds)
	if err != nil {
		return "", fmt.Errorf("bucket %s: %w", job.BucketRounds, err)
	}
	_, err = kv.CreateLeader(ctx, t.leader, rounds, job.FleetKey, []byte(rand.Text()))
	if err != nil && !errors.Is(err, jetstream.ErrKeyExists) {
		return "", fmt.Errorf("naming the fleet: %w", err)
	}
	entry, err := kv.ReadLeader(ctx, t.leader, job.BucketRounds, job.FleetKey)
	if err != nil {
		return "", fmt.Errorf("reading the fleet's name: %w", err)
	}
	return string(entry.Value()), nil
}

func (t *taking) snapshots(ctx context.Context, parts []part) error {
	for _, p := range parts {
		if p.name == scores && !t.cfg.Scores {
			continue
		}
		taken, err := t.settled(ctx, p)
		if err != nil {
			return fmt.Errorf("stream %s: %w", p.name, err)
		}
		t.m.Streams = append(t.m.Streams, taken)
	}
	return nil
}

// settled takes a snapshot anew until nothing was removed under it, as often as
// it is worth.
func (t *taking) settled(ctx context.Context, p part) (taken Stream, err error) {
	for try := 1; ; try++ {
		taken, err = t.snapshot(ctx, p.name)
		switch {
		case err != nil:
			return taken, err
		case taken.Removed == 0 || try >= p.tries && !p.exact:
			return taken, nil
		case try >= p.tries:
			return taken, fmt.Errorf("its values changed under each of %d snapshots: take the backup at a quieter time", try)
		}
		if err := pause.For(ctx, retryPause); err != nil {
			return taken, err
		}
	}
}

// snapshot writes a stream's archive, has it on the disk, and reads it back.
func (t *taking) snapshot(ctx context.Context, name string) (Stream, error) {
	path := filepath.Join(t.cfg.Dir, fileOf(name))
	config, err := t.receive(ctx, name, path)
	if err != nil {
		return Stream{}, err
	}
	found, err := readArchive(path)
	if err != nil {
		return Stream{}, fmt.Errorf("reading back %s: %w", path, err)
	}
	return Stream{
		Name:     name,
		File:     fileOf(name),
		Bytes:    found.bytes,
		SHA256:   found.sha256,
		Messages: found.messages,
		Removed:  found.removed(),
		LastSeq:  found.state.LastSeq,
		Config:   config,
	}, nil
}

// receive has the server send a snapshot into a file. The consumers come along:
// what the workers' one has handed out is part of the jobs' state.
func (t *taking) receive(ctx context.Context, name, path string) (config api.StreamConfig, err error) {
	stream, err := t.manager.LoadStream(name)
	if err != nil {
		return config, fmt.Errorf("asking for it: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return config, fmt.Errorf("writing: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	ctx, g := guarded(ctx, t.nc)
	defer g.stop()
	into := &receiver{file: file, fail: g.fail, moved: func(bytes int64) {
		g.touch()
		t.cfg.progress(name, bytes)
	}}
	var meta kept
	_, err = stream.SnapshotToBuffer(ctx, into, &meta, jsm.SnapshotConsumers())
	into.end()
	if err = why(ctx, err); err != nil {
		return config, fmt.Errorf("taking its snapshot: %w", err)
	}
	if err := file.Sync(); err != nil {
		return config, fmt.Errorf("writing: %w", err)
	}
	var said struct {
		Config api.StreamConfig `json:"config"`
	}
	if err := json.Unmarshal([]byte(meta.String()), &said); err != nil {
		return config, fmt.Errorf("reading its settings: %w", err)
	}
	return said.Config, nil
}

// receiver takes the chunks of a snapshot. A failure ends the snapshot by its
// context: of an error the library would tell a reader who may have gone, and
// wait for it. Of one that is broken off, chunks may still come: they are dropped.
type receiver struct {
	file  *os.File
	fail  func(error)
	moved func(bytes int64)

	mu    sync.Mutex
	n     int64
	ended bool
}

func (r *receiver) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return len(p), nil
	}
	if _, err := r.file.Write(p); err != nil {
		r.fail(err)
	}
	r.n += int64(len(p))
	r.moved(r.n)
	return len(p), nil
}

// end waits for the chunk that is being written, and drops those after it.
func (r *receiver) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
}

// Close does nothing: the code that opened the file syncs it first.
func (r *receiver) Close() error { return nil }

// kept is the place that a snapshot is written to, with a Close.
type kept struct{ strings.Builder }

func (k *kept) Close() error { return nil }
