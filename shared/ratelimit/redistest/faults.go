package redistest

import (
	"context"
	"net/url"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/must"
)

// Fault is a state in which a server answers and grants no permit.
type Fault struct {
	// Code is the first word of what the server answers.
	Code string

	args  []string
	begin func(tb testing.TB, rdb *redis.Client)
	heal  func(ctx context.Context, rdb *redis.Client) error
}

// The password of a server of Faults, and the one that it changes to. The operator is
// a user of its own: no fault of the default user's locks it out, on whichever
// connection it heals the server.
const (
	password = "first-of-two"
	another  = "second-of-two"
	operator = "operator"
)

// Faults are the states, by name.
func Faults() map[string]Fault {
	do := func(args ...any) func(context.Context, *redis.Client) error {
		return func(ctx context.Context, rdb *redis.Client) error { return rdb.Do(ctx, args...).Err() }
	}
	begun := func(acts ...func(context.Context, *redis.Client) error) func(testing.TB, *redis.Client) {
		return func(tb testing.TB, rdb *redis.Client) {
			tb.Helper()
			for _, act := range acts {
				must.Do(tb, act(tb.Context(), rdb))
			}
		}
	}
	return map[string]Fault{
		"out of memory": {
			Code: "OOM", begin: begun(do("CONFIG", "SET", "maxmemory", "1")), heal: do("CONFIG", "SET", "maxmemory", "0"),
		},
		"read-only": {
			Code: "READONLY", begin: begun(do("REPLICAOF", "127.0.0.1", "1")), heal: do("REPLICAOF", "NO", "ONE"),
		},
		"script forbidden": {
			Code: "NOPERM", begin: begun(do("ACL", "SETUSER", "default", "-eval", "-evalsha")),
			heal: do("ACL", "SETUSER", "default", "+eval", "+evalsha"),
		},
		"wrong password": {
			Code: "WRONGPASS",
			begin: begun(do("CONFIG", "SET", "requirepass", another), do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
				do("CLIENT", "KILL", "TYPE", "pubsub")),
			heal: do("CONFIG", "SET", "requirepass", password),
		},
		"loading": {
			Code: "LOADING",
			args: []string{
				"--enable-debug-command", "yes", "--rdbcompression", "no", "--key-load-delay", "20000",
				"--loading-process-events-interval-bytes", "1024",
			},
			begin: load, heal: do("CONFIG", "SET", "key-load-delay", "0"),
		},
	}
}

// load has the server read its own file for as long as nobody heals it.
func load(tb testing.TB, rdb *redis.Client) {
	tb.Helper()
	must.Do(tb, rdb.Do(tb.Context(), "DEBUG", "POPULATE", "10000", "key", "1024").Err())
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	var reading sync.WaitGroup
	reading.Go(func() { _ = rdb.Do(ctx, "DEBUG", "RELOAD").Err() }) // it ends with the test at the latest
	tb.Cleanup(func() { cancel(); reading.Wait() })
	await(tb, "the server to load", func(ctx context.Context) bool {
		err := rdb.Get(ctx, "none").Err()
		return err != nil && redis.HasErrorPrefix(err, "LOADING")
	})
}

// Faulty is a server that a fault may befall.
type Faulty struct {
	*Server

	fault Fault
	rdb   *redis.Client
}

// StartFaulty starts a server that is well.
func StartFaulty(tb testing.TB, fault Fault) *Faulty {
	tb.Helper()
	args := []string{"--requirepass", password, "--user", operator, "on", "nopass", "~*", "&*", "+@all"}
	s := Start(tb, append(args, fault.args...)...)
	rdb := redis.NewClient(&redis.Options{
		Addr:     s.Address,
		Username: operator,
		Password: "any",
	})
	tb.Cleanup(func() { _ = rdb.Close() })
	return &Faulty{s, fault, rdb}
}

// URL has the password that the server has when it is well.
func (f *Faulty) URL() string {
	return (&url.URL{Scheme: "redis", User: url.UserPassword("", password), Host: f.Address}).String()
}

// Break has the fault begin.
func (f *Faulty) Break(tb testing.TB) {
	tb.Helper()
	f.fault.begin(tb, f.rdb)
}

// Heal ends it.
func (f *Faulty) Heal(tb testing.TB) {
	tb.Helper()
	must.Do(tb, f.fault.heal(tb.Context(), f.rdb))
}
