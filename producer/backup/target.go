package backup

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/kv"
	"mirrorfleet/shared/pause"
	"mirrorfleet/shared/plural"
)

// tryTime bounds one question to a cluster that may have no leader yet.
const tryTime = 5 * time.Second

// formed waits for a cluster that still forms, and refuses copies that there is no
// server for.
func (r *restoring) formed(ctx context.Context) error {
	if r.nc.ConnectedClusterName() == "" {
		for _, s := range r.Streams {
			if n := r.replicas(s); n > 1 {
				return refusef("stream %s is to have %d copies, and a single server keeps one: give --replicas 1, or a cluster's servers", s.Name, n)
			}
		}
	}
	return r.await(ctx, "JetStream is not ready", func(ctx context.Context) error {
		_, err := r.js.AccountInfo(ctx)
		return err //nolint:wrapcheck // await names it
	})
}

// replicas is how many copies a stream is to have.
func (r *restoring) replicas(s Stream) int {
	if r.cfg.Replicas > 0 {
		return r.cfg.Replicas
	}
	return max(s.Config.Replicas, 1)
}

// await tries until it succeeds, as long as a cluster may take to form.
func (r *restoring) await(ctx context.Context, what string, try func(context.Context) error) error {
	wait := cmp.Or(r.cfg.Wait, request)
	waiting, cancel := context.WithTimeoutCause(ctx, wait, fmt.Errorf("not within %s", wait))
	defer cancel()
	for {
		once, cancel := context.WithTimeout(waiting, tryTime)
		err := try(once)
		cancel()
		if err == nil {
			return nil
		}
		if waited := pause.For(waiting, retryPause); waited != nil {
			return fmt.Errorf("%s: %w: %w", what, waited, err)
		}
	}
}

// target looks at the servers that are to be written to. It returns the streams
// that a former restore of this backup has written, and refuses any other: a restore
// neither overwrites nor deletes. The very servers that a backup was taken from have
// streams as it has them, too: what a restore removes at its end is not to be removed
// from those.
func (r *restoring) target(ctx context.Context) (present map[string]bool, err error) {
	if err := r.sameFleet(ctx); err != nil {
		return nil, err
	}
	present = map[string]bool{}
	var inTheWay []string
	takenHere := false
	for _, name := range all() {
		info, err := lookUp(ctx, r.js, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		same, marked := r.same(info), info.Config.Metadata[restoredFrom] == r.mark()
		if same && marked {
			present[name] = true
			continue
		}
		inTheWay = append(inTheWay, name+" ("+holds(info)+")")
		takenHere = takenHere || same && info.State.Msgs > 0 && !marked
	}
	if len(inTheWay) == 0 {
		return present, nil
	}
	if takenHere {
		return nil, refusef("these are the servers that backup %s was taken from, and a restore neither overwrites nor deletes: %s: "+
			"give the servers that are to take their place, on empty directories", r.dir, strings.Join(inTheWay, ", "))
	}
	running, err := r.producers(ctx)
	if err != nil {
		return nil, err
	}
	if running != "" {
		running = " (" + running + ")"
	}
	return nil, refusef("these servers are not empty, and a restore neither overwrites nor deletes: %s: "+
		"stop every producer and worker of theirs%s, then delete the streams, or start the servers on empty directories",
		strings.Join(inTheWay, ", "), running)
}

// same says whether a stream that is there is as the backup has it: it has the last place
// and no more messages. Nothing was written since then; what a restore has removed
// afterwards is removed again.
func (r *restoring) same(info *jetstream.StreamInfo) bool {
	return slices.ContainsFunc(r.Streams, func(s Stream) bool {
		return s.Name == info.Config.Name && info.State.LastSeq == s.LastSeq && info.State.Msgs <= s.Messages
	})
}

// holds says what a stream holds that is in the way.
func holds(info *jetstream.StreamInfo) string {
	switch {
	case info.Config.Description == underway:
		return plural.Of(info.State.Msgs, "message") + ": a restore was broken off there"
	case info.State.Msgs == 0:
		return "empty: a process has declared it"
	}
	return plural.Of(info.State.Msgs, "message")
}

// sameFleet refuses servers that are another fleet's.
func (r *restoring) sameFleet(ctx context.Context) error {
	entry, err := kv.ReadLeader(ctx, r.leader, job.BucketRounds, job.FleetKey)
	if errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the fleet's name: %w", err)
	}
	if string(entry.Value()) != r.Fleet {
		return refusef("backup %s is of fleet %s, and these servers are of fleet %s", r.dir, r.Fleet, entry.Value())
	}
	return nil
}

// producers names those that hold something on the servers: one of them may run.
func (r *restoring) producers(ctx context.Context) (string, error) {
	holders, err := keys(ctx, r.js, r.leader, job.BucketRounds, job.HolderKey("*"))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("looking for producers: %w", err)
	}
	var named []string
	for _, key := range holders {
		entry, err := kv.ReadLeader(ctx, r.leader, job.BucketRounds, key)
		var holder job.Holder
		if err != nil || json.Unmarshal(entry.Value(), &holder) != nil || holder.Released {
			continue // it is named, no more
		}
		producer, _, _ := strings.Cut(holder.Name, "/")
		named = append(named, fmt.Sprintf("producer %s, last heard of at %s", producer, entry.Created().UTC().Format(time.RFC3339)))
	}
	slices.Sort(named)
	return strings.Join(slices.Compact(named), "; "), nil
}
