package ratelimit_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/ratelimit/redistest"
)

// shippedUsers is a server with the users of deploy/redis, all with the same password,
// and the URLs of both.
func shippedUsers(t *testing.T) (run *redistest.Server, producer, worker string) {
	t.Helper()
	users := string(must.Get(os.ReadFile("../../deploy/redis/users.acl"))(t))
	hash := fmt.Sprintf("#%x", sha256.Sum256([]byte("secret")))
	users = strings.NewReplacer("#PRODUCER", hash, "#WORKER", hash).Replace(users)
	// A user who may read the log of refusals must exist.
	users += "user judge on nopass ~* &* +@all\n"
	path := filepath.Join(t.TempDir(), "users.acl")
	must.Do(t, os.WriteFile(path, []byte(users), 0o600))
	run = redistest.Start(t, "--aclfile", path)
	as := func(user string) string { return strings.Replace(run.URL(), "redis://", "redis://"+user+":secret@", 1) }
	return run, as("producer"), as("worker")
}

// TestTheShippedUsers can do all that their roles need; a producer also lists buckets.
// Nothing of the limiter's own is refused.
func TestTheShippedUsers(t *testing.T) {
	t.Parallel()
	run, producer, worker := shippedUsers(t)
	for _, url := range []string{producer, worker} {
		s := newServer(t, url)
		l, d := s.limiter(t, quick()), s.operator(t)
		permit(t, l)
		if state, err := d.Hold(t.Context(), time.Minute, ratelimit.Note{}); err != nil || state.Hold <= 0 || state.RunID == "" {
			t.Errorf("a hold: %+v, %v, want one, by a server that tells its run id", state, err)
		}
		if _, err := d.Release(t.Context()); err != nil {
			t.Error(err)
		}
		must.Do(t, l.CoolDown(t.Context(), time.Minute))
		if state, err := d.EndCoolDown(t.Context()); err != nil || state.CoolDown > 0 {
			t.Errorf("the end of a cool-down: %+v, %v, want none left", state, err)
		}
		permit(t, l)
		must.Do(t, l.Tell(t.Context(), url, []netip.Addr{netip.MustParseAddr("192.0.2.1")}))
		must.Check(t, patient(t, s).Ping(t.Context()).Err())
		must.Check(t, patient(t, s).Subscribe(t.Context(), ratelimit.Channel(ratelimit.DefaultEgress)).Ping(t.Context()))
		found, err := ratelimit.TryRights(t.Context(), patient(t, s), ratelimit.DefaultEgress, time.Minute)
		if err != nil || len(found.Missing)+len(found.Excess) > 0 {
			t.Errorf("rights of %s: %+v, %v, want neither more nor fewer than are needed", url, found, err)
		}
	}
	if got, err := ratelimit.Buckets(t.Context(), patient(t, newServer(t, producer)), time.Minute); err != nil || len(got) != 1 || len(got[0].Processes) != 2 {
		t.Errorf("the buckets: %v, %v, want the one, with the addresses that both have told", got, err)
	}
	if _, err := ratelimit.Buckets(t.Context(), patient(t, newServer(t, worker)), time.Minute); err == nil {
		t.Error("a worker lists the buckets")
	}
	if refused := refusals(t, run); !slices.Equal(refused, []string{"scan"}) {
		t.Errorf("refused were %q, want a worker's SCAN alone", refused)
	}
}

// refusals are the commands that the server has refused to its users.
func refusals(t *testing.T, run *redistest.Server) []string {
	t.Helper()
	judge := must.Get(ratelimit.NewClient(strings.Replace(run.URL(), "redis://", "redis://judge:any@", 1), time.Minute))(t)
	t.Cleanup(func() { must.Check(t, judge.Close()) })
	var objects []string
	for _, entry := range must.Get(judge.Do(t.Context(), "ACL", "LOG").Slice())(t) {
		values, _ := entry.(map[any]any)
		objects = append(objects, fmt.Sprint(values["object"]))
	}
	return objects
}

// TestWhatTheShippedUsersMayNot: with a worker's or a producer's password nobody can
// change the server, or read or write other keys than the limiter's. Without a password
// nobody gets in.
func TestWhatTheShippedUsersMayNot(t *testing.T) {
	t.Parallel()
	run, producer, worker := shippedUsers(t)
	for _, url := range []string{producer, worker} {
		rdb := patient(t, newServer(t, url))
		for _, command := range []string{
			"CONFIG GET *", "CONFIG SET maxmemory 1", "FLUSHALL", "FLUSHDB", "KEYS *", "SCRIPT FLUSH", "SCRIPT KILL", "FUNCTION FLUSH",
			"SET another 1", "GET another", "HSET another f v", "HGETALL another", "DEL limit:{default}", "EXPIRE limit:{default} 1",
			"RENAME limit:{default} limit:{x}", "PUBLISH another word", "SUBSCRIBE another", "MONITOR", "ACL LIST", "ACL SETUSER worker +@all",
			"CLIENT KILL TYPE normal", "REPLICAOF 127.0.0.1 1", "SHUTDOWN NOSAVE", "SAVE", "MODULE LIST", "SELECT 1",
		} {
			var words []any
			for word := range strings.FieldsSeq(command) {
				words = append(words, word)
			}
			if err := rdb.Do(t.Context(), words...).Err(); ratelimit.Refusal(err) == nil || !strings.Contains(err.Error(), "NOPERM") {
				t.Errorf("%s as %s: %v, want it refused", command, url, err)
			}
		}
		// A script does not get around it.
		if err := rdb.Eval(t.Context(), "return redis.call('FLUSHALL')", nil).Err(); err == nil {
			t.Errorf("a script as %s flushes all", url)
		}
	}
	for _, url := range []string{run.URL(), strings.Replace(worker, ":secret@", ":wrong@", 1)} {
		err := patient(t, newServer(t, url)).Ping(t.Context()).Err()
		if refused := ratelimit.Refusal(err); refused == nil || !strings.Contains(refused.Error(), "--redis-password-file") || strings.Contains(refused.Error(), "wrong@") {
			t.Errorf("%v, explained as %v, want it refused with what to do", err, refused)
		}
	}
}

// TestTheShippedStart: deploy/redis/start.sh takes the roles' passwords from the
// environment. No other user gets in.
func TestTheShippedStart(t *testing.T) {
	t.Parallel()
	port := strconv.Itoa(nettest.FreePort(t))
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "sh", "../../deploy/redis/start.sh", "--bind", "127.0.0.1", "--port", port)
	cmd.Env = append(os.Environ(), "REDIS_PRODUCER_PASSWORD=p/&\\1", "REDIS_WORKER_PASSWORD=w", "TMPDIR="+t.TempDir())
	must.Do(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for user, c := range map[string]struct {
		password string
		admitted bool
	}{"producer": {"p/&\\1", true}, "worker": {"w", true}, "default": {"w", false}, "admin": {"", false}} {
		rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port, Username: user, Password: c.password})
		t.Cleanup(func() { must.Check(t, rdb.Close()) })
		var err error
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		must.Until(ctx, t, "the server answers", func() bool {
			err = rdb.Ping(t.Context()).Err()
			return err == nil || ratelimit.Refusal(err) != nil
		})
		if (err == nil) != c.admitted {
			t.Errorf("%s: %v, want it admitted: %t", user, err, c.admitted)
		}
	}
}

// TestMissingRightsAreNamed, without running anything.
func TestMissingRightsAreNamed(t *testing.T) {
	t.Parallel()
	run := redistest.Start(t)
	admin := run.Client(t)
	must.Do(t, admin.Do(t.Context(), "ACL", "SETUSER", "few", "on", ">secret", "~limit:*", "&limit:*", "+@all", "-hset", "-subscribe").Err())
	rdb := patient(t, newServer(t, strings.Replace(run.URL(), "redis://", "redis://few:secret@", 1)))
	found := must.Get(ratelimit.TryRights(t.Context(), rdb, "eu-1", time.Minute))(t)
	if want := []string{"HSET limit:{eu-1} f v", "SUBSCRIBE limit:{eu-1}:word"}; !slices.Equal(found.Missing, want) {
		t.Errorf("missing are %q, want %q", found.Missing, want)
	}
	if !slices.Contains(found.Excess, "FLUSHALL") || slices.Contains(found.Excess, "SET another 1") {
		t.Errorf("in excess are %q, want FLUSHALL, and no key that the user has not", found.Excess)
	}
	if n := admin.DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("the look has made %d keys", n)
	}
}
