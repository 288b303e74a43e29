package local_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"mirrorfleet/shared/lifetest"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/must"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func start(t *testing.T, cfg local.Config) *local.Servers {
	t.Helper()
	cfg.Log = quiet()
	s := must.Get(local.Start(t.Context(), cfg))(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return s
}

func connect(t *testing.T, s *local.Servers) jetstream.JetStream {
	t.Helper()
	nc := must.Get(nats.Connect(s.NATSURL()))(t)
	t.Cleanup(nc.Close)
	js := must.Get(jetstream.New(nc))(t)
	return js
}

func redisClient(t *testing.T, s *local.Servers) *redis.Client {
	t.Helper()
	options := must.Get(redis.ParseURL(s.RedisURL()))(t)
	options.DisableIdentity = true
	rdb := redis.NewClient(options)
	t.Cleanup(func() { rdb.Close() })
	return rdb
}

// TestKeepsWhatWasConfirmed: the round on one machine is resumable because
// JetStream's files outlive the process.
func TestKeepsWhatWasConfirmed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, local.Config{Dir: dir})
	kv := must.Get(connect(t, first).CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "B"}))(t)
	must.Get(kv.PutString(t.Context(), "k", "kept"))(t)
	must.Do(t, first.Close())
	kv = must.Get(connect(t, start(t, local.Config{Dir: dir})).KeyValue(t.Context(), "B"))(t)
	entry, err := kv.Get(t.Context(), "k")
	if err != nil || string(entry.Value()) != "kept" {
		t.Errorf("after a restart: got %v, %v, want the value", entry, err)
	}
}

// TestOneHolder: a second process on the directory learns who has it; the
// lock is free again after Close.
func TestOneHolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, local.Config{Dir: dir})
	_, err := local.Start(t.Context(), local.Config{Dir: dir, Log: quiet()})
	var inUse *local.InUseError
	if !errors.As(err, &inUse) {
		t.Fatalf("second start: got %v, want an InUseError", err)
	}
	if inUse.Dir != dir || inUse.PID != os.Getpid() {
		t.Errorf("got %+v, want directory %s and pid %d", inUse, dir, os.Getpid())
	}
	must.Do(t, first.Close())
	start(t, local.Config{Dir: dir})
}

func TestUnusableDirectory(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	must.Do(t, os.WriteFile(file, nil, 0o600))
	taken := t.TempDir()
	must.Do(t, os.Mkdir(filepath.Join(taken, "lock"), 0o700))
	blocked := t.TempDir() // locked, but NATS cannot make its own below
	must.Do(t, os.Chmod(blocked, 0o700))
	must.Do(t, os.WriteFile(filepath.Join(blocked, "nats"), nil, 0o600))
	for dir, want := range map[string]string{
		"": "Dir is empty", file: "cannot be made", taken: "not writable", blocked: filepath.Join(blocked, "nats"),
	} {
		_, err := local.Start(t.Context(), local.Config{Dir: dir, Log: quiet(), StartTimeout: 5 * time.Second})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("Dir %q: got %v, want an error with %q that names it", dir, err, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	l := must.Get(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer l.Close()
	used := l.Addr().String()
	for name, c := range map[string]struct {
		cfg  local.Config
		want []string
	}{
		"NATS in use":   {local.Config{NATS: used}, []string{"NATS", used, "in use"}},
		"Redis in use":  {local.Config{Redis: used}, []string{"redis", used, "in use"}},
		"NATS exposed":  {local.Config{NATS: "0.0.0.0:0"}, []string{"NATS", "0.0.0.0:0", "loopback"}},
		"Redis exposed": {local.Config{Redis: "example.org:1"}, []string{"Redis", "example.org:1", "loopback"}},
		"no port":       {local.Config{NATS: "127.0.0.1"}, []string{"NATS", "host:port"}},
	} {
		c.cfg.Dir, c.cfg.Log = t.TempDir(), quiet()
		_, err := local.Start(t.Context(), c.cfg)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want an error with %q", name, err, want)
			}
		}
		// What failed to start must leave nothing running: the directory is free.
		start(t, local.Config{Dir: c.cfg.Dir})
	}
}

// TestKeysExpire: a TTL runs out though the server drives no clock itself.
func TestKeysExpire(t *testing.T) {
	t.Parallel()
	rdb := redisClient(t, start(t, local.Config{Dir: t.TempDir()}))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	must.Do(t, rdb.Set(ctx, "k", "v", 300*time.Millisecond).Err())
	for { // each question is a round trip; the context bounds them
		n, err := rdb.Exists(ctx, "k").Result()
		if err != nil {
			t.Fatalf("the key is still there: %v", err)
		}
		if n == 0 {
			return
		}
	}
}

// TestClockIsReal: the limiter reads the server's TIME.
func TestClockIsReal(t *testing.T) {
	t.Parallel()
	rdb := redisClient(t, start(t, local.Config{Dir: t.TempDir()}))
	before := time.Now().Add(-time.Millisecond) // the answer has microseconds
	got := must.Get(rdb.Time(t.Context()).Result())(t)
	if got.Before(before) || got.After(time.Now()) {
		t.Errorf("TIME is %s, want between %s and now", got, before)
	}
}

// TestCloseTwiceAtOnce: every caller returns after the servers have stopped.
func TestCloseTwiceAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, local.Config{Dir: dir})
	var closing sync.WaitGroup
	for range 4 {
		closing.Go(func() { must.Check(t, s.Close()) })
	}
	closing.Wait()
	start(t, local.Config{Dir: dir})
}

func TestEndedContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if _, err := local.Start(ctx, local.Config{Dir: dir, Log: quiet()}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	start(t, local.Config{Dir: dir})
}

// TestFind: whoever looks at a running round finds its servers, without getting in
// the way of the next one; a round that ended, or was killed, is not running.
func TestFind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := local.Find(dir); !errors.Is(err, local.ErrNotRunning) {
		t.Errorf("before a start: %v, want ErrNotRunning", err)
	}
	s := start(t, local.Config{Dir: dir})
	got, err := local.Find(dir)
	if want := (local.Addresses{PID: os.Getpid(), NATS: s.NATSURL(), Redis: s.RedisURL()}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	must.Do(t, s.Close())
	if _, err := local.Find(dir); !errors.Is(err, local.ErrNotRunning) {
		t.Errorf("after the end: %v, want ErrNotRunning", err)
	}
	ended := exec.CommandContext(t.Context(), "true")
	must.Do(t, ended.Run())
	for content, want := range map[string]string{
		fmt.Sprintf(`{"pid":%d}`, ended.Process.Pid): local.ErrNotRunning.Error(),
		"nonsense": "remove it",
	} {
		must.Do(t, os.WriteFile(filepath.Join(dir, "servers.json"), []byte(content), 0o600))
		if _, err := local.Find(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("with %s: %v, want an error with %q", content, err, want)
		}
	}
}

func TestServersStop(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lifetest.Stress(t, 4, func(ctx context.Context) (func() error, error) {
		s, err := local.Start(ctx, local.Config{Dir: dir, Log: quiet()})
		if err != nil {
			return nil, err
		}
		return s.Close, nil
	})
}
