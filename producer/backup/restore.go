package backup

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/pause"
)

// Restored says what a restore did.
type Restored struct {
	Manifest

	// Present are the streams that a former restore of the backup had written.
	Present []string `json:"present"`
	// Forgotten are the rounds that were begun or forgotten while the backup was
	// taken; Reopened are the outcomes that were written meanwhile.
	Forgotten []string `json:"forgotten"`
	Reopened  []string `json:"reopened"`
}

// restoring is a restore under way.
type restoring struct {
	verified

	cfg    Config
	nc     *nats.Conn
	js     jetstream.JetStream
	leader nats.JetStreamContext
	log    *slog.Logger
}

// Restore writes the backup of cfg.Dir into the servers of a connection. No
// process of the fleet may run on these servers.
func Restore(ctx context.Context, nc *nats.Conn, cfg Config, log *slog.Logger) (done Restored, err error) {
	r := restoring{cfg: cfg, nc: nc, log: log}
	if r.verified, err = verify(ctx, cfg.Dir); err != nil {
		return done, err
	}
	if err := checkServer(nc); err != nil {
		return done, err
	}
	if r.js, err = jetstream.New(nc); err != nil {
		return done, fmt.Errorf("restore: %w", err)
	}
	if r.leader, err = nc.JetStream(); err != nil {
		return done, fmt.Errorf("restore: %w", err)
	}
	if err := r.formed(ctx); err != nil {
		return done, err
	}
	present, err := r.target(ctx)
	if err != nil {
		return done, err
	}
	done = Restored{
		Manifest:  r.Manifest,
		Present:   []string{},
		Forgotten: []string{},
		Reopened:  []string{},
	}
	for _, s := range r.Streams {
		if present[s.Name] {
			done.Present = append(done.Present, s.Name)
		} else if err := r.send(ctx, s); err != nil {
			return done, fmt.Errorf("stream %s: %w (what was written stays; the same command continues, or names the obstacle)", s.Name, err)
		}
		if err := r.finish(ctx, s); err != nil {
			return done, fmt.Errorf("stream %s is restored: %w", s.Name, err)
		}
	}
	done.Forgotten = append(done.Forgotten, r.unplanned...)
	done.Reopened = append(done.Reopened, r.early...)
	if err := r.settle(ctx); err != nil {
		return done, err
	}
	return done, r.copied(ctx)
}

// copyTime bounds the wait for all copies of a stream, copyLook is between two
// looks.
const (
	copyTime = 10 * time.Minute
	copyLook = 500 * time.Millisecond
)

// copied waits until every copy of every stream is complete: the servers confirm
// a restore when the first one is.
func (r *restoring) copied(ctx context.Context) error {
	for _, name := range all() {
		waiting, cancel := context.WithTimeoutCause(ctx, copyTime, fmt.Errorf("not all of its copies are complete after %s", copyTime))
		err := r.awaitCopies(waiting, name)
		cancel()
		if err != nil {
			return fmt.Errorf("stream %s is restored: %w", name, err)
		}
	}
	return nil
}

func (r *restoring) awaitCopies(ctx context.Context, name string) error {
	for {
		info, err := lookUp(ctx, r.js, name)
		if err != nil {
			return err
		}
		if info.Cluster == nil || current(info) >= info.Config.Replicas {
			return nil
		}
		if err := pause.For(ctx, copyLook); err != nil {
			return err
		}
	}
}

// current counts the copies that are complete.
func current(info *jetstream.StreamInfo) int {
	n := 1 // the leader's
	for _, peer := range info.Cluster.Replicas {
		if peer.Current && !peer.Offline {
			n++
		}
	}
	return n
}

// settle brings the streams to their declared settings, and removes what shows a
// later instant than the records do.
func (r *restoring) settle(ctx context.Context) error {
	bus, err := jobstream.Open(ctx, r.nc, jobstream.Config{Replicas: r.cfg.Replicas, Log: r.log})
	if err != nil {
		return fmt.Errorf("declaring the restored streams: %w", err)
	}
	for _, round := range r.unplanned {
		if err := bus.Rounds.Forget(ctx, round); err != nil {
			return err
		}
	}
	for _, key := range r.early {
		if err := bus.Outcomes.Forget(ctx, key); err != nil {
			return err
		}
	}
	return nil
}
