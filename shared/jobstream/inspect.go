package jobstream

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
)

// Inspection is the state of a NATS server and its streams, compared with the declarations.
type Inspection struct {
	// Version is the server's. Cluster is the name of its cluster, "" if it is a single
	// server. Servers are all known addresses of the cluster.
	Version, Cluster string
	Servers          []string
	// MaxPayload is the longest message in bytes.
	MaxPayload int64
	// Store is the account's file storage in use, in bytes. StoreLimit is its limit; below 0
	// there is none but the server's.
	Store, StoreLimit int64
	// InUse is the number of the account's streams. StreamLimit is how many it may have;
	// below 1 there is no limit.
	InUse, StreamLimit int
	// Streams are the declared streams, those of buckets included, in the order of their
	// declarations.
	Streams []InspectedStream
	// Consumer is the workers' consumer; nil if it does not exist yet.
	Consumer *InspectedConsumer
}

// InspectedStream is the state of a declared stream.
type InspectedStream struct {
	Name string
	// Missing says that the stream does not exist yet: the first producer creates it.
	Missing bool
	// Drift are the settings that the next start changes.
	Drift []Drift
	// Mismatch is a setting that cannot be changed in place; nil for none.
	Mismatch *MismatchError
	// Replicas is the number of copies, and Current the number of those that are up to date.
	Replicas, Current int
}

// InspectedConsumer is the state of the workers' consumer.
type InspectedConsumer struct {
	Drift []Drift
	// Filter is the only subject that is delivered; "" means all subjects.
	Filter string
	// Paused says that nothing is handed out, Held that a round is paused by hand, by an
	// order of the product's own (Steering).
	Paused     bool
	Held       bool
	MaxDeliver int
	AckWait    time.Duration
}

// Drift is one setting that is not as it is declared.
type Drift struct {
	Setting    string
	Have, Want any
}

func (d Drift) String() string {
	return fmt.Sprintf("%s is %v, declared %v", d.Setting, d.Have, d.Want)
}

// ErrNoJetStream says that the server, or the account, has no JetStream.
var ErrNoJetStream = errors.New("no JetStream")

// Inspect compares the existing streams with what Open would make of them, and changes
// nothing. It does not wait for a server that is away.
func Inspect(ctx context.Context, nc *nats.Conn, cfg Config) (Inspection, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return Inspection{}, fmt.Errorf("jobstream: %w", err)
	}
	in := Inspection{
		Version:    nc.ConnectedServerVersion(),
		Cluster:    nc.ConnectedClusterName(),
		Servers:    nc.Servers(),
		MaxPayload: nc.MaxPayload(),
	}
	for i, address := range in.Servers {
		in.Servers[i] = Redact(address)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return in, fmt.Errorf("jobstream: %w", err)
	}
	account, err := js.AccountInfo(ctx)
	if errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
		return in, fmt.Errorf("jobstream: %w: %w", ErrNoJetStream, err)
	}
	if err != nil {
		return in, fmt.Errorf("jobstream: looking at the account: %w", err)
	}
	in.Store, in.StoreLimit = storage(account)
	in.InUse, in.StreamLimit = account.Streams, account.Limits.MaxStreams
	for _, want := range declared() {
		found, err := inspectStream(ctx, js, cfg, want.StreamConfig)
		if err != nil {
			return in, err
		}
		in.Streams = append(in.Streams, found)
	}
	in.Consumer, err = inspectConsumer(ctx, js, cfg)
	return in, err
}

// storage is the account's used file storage and its limit, summed over tiers if the account
// has tiers.
func storage(account *jetstream.AccountInfo) (used, limit int64) {
	if len(account.Tiers) == 0 {
		return int64(account.Store), account.Limits.MaxStore
	}
	for _, tier := range account.Tiers {
		used += int64(tier.Store)
		if tier.Limits.MaxStore < 0 || limit < 0 {
			limit = -1
			continue
		}
		limit += tier.Limits.MaxStore
	}
	return used, limit
}

func inspectStream(ctx context.Context, js jetstream.JetStream, cfg Config, want jetstream.StreamConfig) (InspectedStream, error) {
	found := InspectedStream{Name: want.Name}
	stream, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		found.Missing = true
		return found, nil
	}
	if err != nil {
		return found, naming("stream", want.Name, err)
	}
	info := stream.CachedInfo()
	found.Replicas, found.Current = max(info.Config.Replicas, 1), 1
	if info.Cluster != nil {
		for _, peer := range info.Cluster.Replicas {
			if peer.Current && !peer.Offline {
				found.Current++
			}
		}
	}
	next, err := cfg.overlaid(info.Config, want)
	if errors.As(err, &found.Mismatch) {
		return found, nil
	}
	found.Drift = drifted(info.Config, next)
	return found, err
}

func inspectConsumer(ctx context.Context, js jetstream.JetStream, cfg Config) (*InspectedConsumer, error) {
	consumer, err := js.Consumer(ctx, job.StreamJobs, job.Consumer)
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil //nolint:nilnil // as documented
	}
	if err != nil {
		return nil, naming("consumer", job.Consumer, err)
	}
	info := consumer.CachedInfo()
	next := cfg.overlaidConsumer(info.Config, workersConsumer().config)
	return &InspectedConsumer{
		Drift:      drifted(info.Config, next),
		Filter:     info.Config.FilterSubject,
		Paused:     info.Paused,
		Held:       held(info.Config),
		MaxDeliver: info.Config.MaxDeliver,
		AckWait:    info.Config.AckWait,
	}, nil
}

// drifted lists the settings in which two configurations of one type differ.
func drifted[T any](have, want T) []Drift {
	var drift []Drift
	haves, wants := reflect.ValueOf(have), reflect.ValueOf(want)
	for i := range haves.NumField() {
		h, w := haves.Field(i).Interface(), wants.Field(i).Interface()
		if !reflect.DeepEqual(h, w) {
			drift = append(drift, Drift{Setting: haves.Type().Field(i).Name, Have: h, Want: w})
		}
	}
	return drift
}
