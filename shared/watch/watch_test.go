package watch_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"mirrorfleet/shared/local"
	"mirrorfleet/shared/watch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A watcher with far more to say than it has room for ends, whether nobody has
// read of it or somebody has; its callback, which waits for a reader, ends with
// it, and its connection goes on.
func TestStop(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	bucket := fullBucket(ctx, t)
	for _, read := range []int{0, 1, 300} {
		watcher, err := bucket.WatchAll(ctx)
		must(t, err)
		for range read {
			<-watcher.Updates()
		}
		watch.Stop(watcher)
		watch.Stop(watcher) // nothing is left to end
	}
	keys, err := bucket.Keys(ctx)
	if err != nil || len(keys) != entries {
		t.Errorf("%d keys, %v; want %d", len(keys), err, entries)
	}
}

const entries = 600 // the library has room for 256

func fullBucket(ctx context.Context, t *testing.T) jetstream.KeyValue {
	t.Helper()
	servers, err := local.Start(ctx, local.Config{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	t.Cleanup(func() { servers.Close() })
	nc, err := nats.Connect(servers.NATSURL())
	must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	must(t, err)
	bucket, err := js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "FULL"})
	must(t, err)
	for i := range entries {
		_, err := bucket.PutString(ctx, fmt.Sprint(i), "x")
		must(t, err)
	}
	return bucket
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
