package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"time"

	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go"

	"mirrorfleet/shared/pause"
	"mirrorfleet/shared/plural"
)

// chunk is what a restore sends at a time; each is confirmed.
const chunk = 512 << 10

// lastWait is how long a server may take for the rest of a stream's restore
// when it has all of it.
const lastWait = 5 * time.Minute

// underway describes a stream that is being restored. It gets its own description,
// and its copies, when all of it is there.
//
// In a cluster this is more than a mark. A stream that is restored with three copies
// stays one that is to be restored for servers that join later: a server of 2.15.2 that
// comes with an empty directory then dies of a nil pointer. Only a change of its
// settings makes it a stream like any other, and a restore of one copy that breaks
// off leaves nothing behind.
const underway = "being restored from a backup"

// restoredFrom is what the servers keep with a stream that a restore has written: of
// which backup (mark). Nothing else tells such a stream from the one that the backup was
// taken of, whose time of creation it has.
const restoredFrom = "mirrorfleet-restored-from"

// mark tells this backup from every other one.
func (r *restoring) mark() string { return r.Fleet + " as of " + r.Began.Format(time.RFC3339Nano) }

// finish gives a restored stream its own description and its copies.
func (r *restoring) finish(ctx context.Context, s Stream) error {
	info, err := lookUp(ctx, r.js, s.Name)
	if err != nil || info.Config.Description != underway {
		return err
	}
	config := info.Config
	config.Description, config.Replicas = s.Config.Description, r.replicas(s)
	return r.await(ctx, "giving it "+plural.Forms(config.Replicas, "copy", "copies"), func(ctx context.Context) error {
		_, err := r.js.UpdateStream(ctx, config)
		return err //nolint:wrapcheck // await names it
	})
}

// send has the servers restore a stream. The library could send it, too; but it
// takes a server of a cluster that does not know yet where the chunks go for the
// end, and waits for the last answer for an hour, whatever happens.
func (r *restoring) send(ctx context.Context, s Stream) (err error) {
	ctx, g := guarded(ctx, r.nc)
	defer g.stop()
	config := s.Config
	config.Replicas, config.Description = 1, underway
	config.Metadata = maps.Clone(config.Metadata)
	if config.Metadata == nil {
		config.Metadata = map[string]string{}
	}
	config.Metadata[restoredFrom] = r.mark()
	data, err := json.Marshal(api.JSApiStreamRestoreRequest{Config: config})
	if err != nil {
		return fmt.Errorf("encoding its settings: %w", err)
	}
	var begun api.JSApiStreamRestoreResponse
	if err := r.ask(ctx, fmt.Sprintf(api.JSApiStreamRestoreT, s.Name), data, &begun); err != nil {
		return err
	}
	if begun.IsError() {
		return fmt.Errorf("restoring: %w", begun.ToError())
	}
	if err := r.chunks(ctx, g, s, begun.DeliverSubject); err != nil {
		return err
	}
	g.timer.Reset(lastWait)
	var restored api.JSApiStreamCreateResponse
	if err := r.ask(ctx, begun.DeliverSubject, nil, &restored); err != nil {
		return err
	}
	switch {
	case restored.IsError():
		return fmt.Errorf("restoring: %w", restored.ToError())
	case restored.StreamInfo == nil || restored.State.LastSeq != s.LastSeq:
		return fmt.Errorf("restoring: the servers do not have it up to %d as the backup has", s.LastSeq)
	}
	return nil
}

// chunks sends a stream's archive.
func (r *restoring) chunks(ctx context.Context, g *guard, s Stream, subject string) error {
	file, err := os.Open(r.path(s))
	if err != nil {
		return fmt.Errorf("reading: %w", err)
	}
	defer file.Close()
	var sent int64
	buffer := make([]byte, min(chunk, r.nc.MaxPayload()))
	for {
		n, err := io.ReadFull(file, buffer)
		if n > 0 {
			r.cfg.progress(s.Name, sent+int64(n))
			var answer api.JSApiStreamCreateResponse
			if err := r.ask(ctx, subject, buffer[:n], &answer); err != nil {
				return err
			}
			if answer.IsError() {
				return fmt.Errorf("restoring: %w", answer.ToError())
			}
			sent += int64(n)
			g.touch()
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading: %w", err)
		}
	}
}

// ask sends one request, and decodes its answer unless that is empty. In a
// cluster it takes a moment until every server knows who listens to the chunks:
// one that nobody took is sent again.
func (r *restoring) ask(ctx context.Context, subject string, data []byte, into any) error {
	for {
		answer, err := r.nc.RequestWithContext(ctx, subject, data)
		if errors.Is(err, nats.ErrNoResponders) {
			err = pause.For(ctx, retryPause)
			if err == nil {
				continue
			}
		}
		if err = why(ctx, err); err != nil {
			return fmt.Errorf("restoring: %w", err)
		}
		if len(answer.Data) == 0 {
			return nil
		}
		if err := json.Unmarshal(answer.Data, into); err != nil {
			return fmt.Errorf("restoring: reading the servers' answer: %w", err)
		}
		return nil
	}
}
