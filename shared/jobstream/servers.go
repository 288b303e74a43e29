package jobstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"mirrorfleet/shared/jobstream/kv"
	"mirrorfleet/shared/pause"
)

// Server is what one NATS server reports about itself.
type Server struct {
	Name, Version string
	// MaxPayload is the longest message in bytes.
	MaxPayload int64
	// JetStream says whether the server stores streams. The fields below are set only if it
	// does.
	JetStream bool
	// SyncAlways says that a confirmed write is on the disk. Otherwise it reaches the
	// disk within SyncInterval.
	SyncAlways   bool
	SyncInterval time.Duration
	// Store is how many bytes of files the server stores, and StoreLimit its limit.
	Store, StoreLimit int64
	// Now is the server's clock. The server read it between Asked and Answered, by this
	// machine's clock.
	Now, Asked, Answered time.Time
}

// ErrNotTold says that no server reports its settings: the account does not import the
// question from the system account, or the user may not ask it.
var ErrNotTold = errors.New("the NATS servers do not tell their settings")

// serversQuestion is a subject that every server of a cluster answers. It belongs to the
// system account; deploy/nats/settings.conf lets the producer's user publish it.
const serversQuestion = "$SYS.REQ.SERVER.PING.VARZ"

// silence is how long Servers waits for the next answer.
const silence = 2 * time.Second

// Servers asks every server of the cluster for its settings and its clock. It returns those
// that answered, sorted by name. silent are the servers that the others know of, and that
// did not answer. ErrNotTold if no server answers.
func Servers(ctx context.Context, nc *nats.Conn) (told []Server, silent []string, err error) {
	inbox, err := nc.SubscribeSync(nc.NewInbox())
	if err != nil {
		return nil, nil, fmt.Errorf("asking the NATS servers: %w", err)
	}
	defer func() { _ = inbox.Unsubscribe() }() // it fails when the connection has ended, and the inbox with it
	asked := time.Now()
	if err := ask(ctx, nc, inbox.Subject); err != nil {
		return nil, nil, err
	}
	away, again := map[string]bool{}, false
	for len(told) == 0 || len(away) > 0 {
		answer, err := nextAnswer(ctx, inbox)
		if errors.Is(err, ErrNotTold) && len(told) > 0 {
			if again {
				break
			}
			asked, again = time.Now(), true
			if err := ask(ctx, nc, inbox.Subject); err != nil {
				return nil, nil, err
			}
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		server := answer.server(asked, time.Now())
		if !slices.ContainsFunc(told, func(other Server) bool { return other.Name == server.Name }) { // it may have been asked twice
			told = append(told, server)
		}
		for _, peer := range answer.Data.JetStream.Meta.Replicas {
			away[peer.Name] = true
		}
		for _, server := range told {
			delete(away, server.Name)
		}
	}
	slices.SortFunc(told, func(a, b Server) int { return strings.Compare(a.Name, b.Name) })
	return told, slices.Sorted(maps.Keys(away)), nil
}

// reconnectLook is the time between two looks at a connection that is being made again.
const reconnectLook = 50 * time.Millisecond

// ask publishes the question. A refusal by the server arrives before its answer to the
// flush, so ask sees it.
func ask(ctx context.Context, nc *nats.Conn, inbox string) error {
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	for {
		err := nc.PublishRequest(serversQuestion, inbox, nil)
		if err == nil {
			err = nc.FlushWithContext(ctx)
		}
		if err == nil {
			break
		}
		// The connection has broken and the client connects again: nothing is sent until
		// then, and a flush that was under way says that the connection is closed.
		if nc.IsClosed() || !kv.NotSent(err) && !errors.Is(err, nats.ErrConnectionClosed) || pause.For(ctx, reconnectLook) != nil {
			return fmt.Errorf("asking the NATS servers: %w", err)
		}
	}
	if refused(nc, serversQuestion) {
		return fmt.Errorf("%w: the user may not publish %s", ErrNotTold, serversQuestion)
	}
	return nil
}

// serverAnswer holds the fields that are read of an answer.
type serverAnswer struct {
	Server struct {
		Name    string `json:"name"`
		Version string `json:"ver"`
	} `json:"server"`
	Data struct {
		Now        time.Time `json:"now"`
		MaxPayload int64     `json:"max_payload"`
		JetStream  struct {
			Config *struct {
				MaxStorage   int64         `json:"max_storage"`
				SyncInterval time.Duration `json:"sync_interval"`
				SyncAlways   bool          `json:"sync_always"`
			} `json:"config"`
			Stats struct {
				Storage int64 `json:"storage"`
			} `json:"stats"`
			Meta struct {
				Replicas []struct {
					Name string `json:"name"`
				} `json:"replicas"`
			} `json:"meta"`
		} `json:"jetstream"`
	} `json:"data"`
}

// nextAnswer waits for one answer; ErrNotTold if none comes.
func nextAnswer(ctx context.Context, inbox *nats.Subscription) (answer serverAnswer, err error) {
	waiting, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	msg, err := inbox.NextMsgWithContext(waiting)
	switch {
	case ctx.Err() != nil:
		return answer, fmt.Errorf("asking the NATS servers: %w", context.Cause(ctx))
	case errors.Is(err, context.DeadlineExceeded):
		return answer, fmt.Errorf("%w: nobody answers %s within %s", ErrNotTold, serversQuestion, silence)
	case errors.Is(err, nats.ErrNoResponders):
		return answer, fmt.Errorf("%w: the account does not import %s", ErrNotTold, serversQuestion)
	case err != nil:
		return answer, fmt.Errorf("asking the NATS servers: %w", err)
	}
	if err := json.Unmarshal(msg.Data, &answer); err != nil {
		return answer, fmt.Errorf("reading a NATS server's answer: %w", err)
	}
	return answer, nil
}

func (a *serverAnswer) server(asked, answered time.Time) Server {
	s := Server{
		Name:       a.Server.Name,
		Version:    a.Server.Version,
		MaxPayload: a.Data.MaxPayload,
		Now:        a.Data.Now,
		Asked:      asked,
		Answered:   answered,
	}
	if config := a.Data.JetStream.Config; config != nil {
		s.JetStream = true
		s.SyncAlways = config.SyncAlways
		s.SyncInterval = config.SyncInterval
		s.Store, s.StoreLimit = a.Data.JetStream.Stats.Storage, config.MaxStorage
	}
	return s
}
