package local_test

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/disktest"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

// password is that of both URLs.
func password(t *testing.T, s *local.Servers) string {
	t.Helper()
	ofNATS, _ := must.Get(url.Parse(s.NATSURL()))(t).User.Password()
	ofRedis, _ := must.Get(url.Parse(s.RedisURL()))(t).User.Password()
	if len(ofNATS) < 26 || ofNATS != ofRedis {
		t.Errorf("the passwords have %d and %d characters, want 26 or more of the same", len(ofNATS), len(ofRedis))
	}
	return ofNATS
}

// refusesOthers tries both servers as somebody who has not the password.
func refusesOthers(t *testing.T, s *local.Servers) {
	t.Helper()
	for _, who := range []*url.Userinfo{nil, url.UserPassword("local", ""), url.UserPassword("local", "wrong"), url.UserPassword("sys", ""), url.User("local")} {
		at := must.Get(url.Parse(s.NATSURL()))(t)
		at.User = who
		nc, err := nats.Connect(at.String())
		if !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("NATS takes %v: %v", who, err)
			nc.Close()
		}
		options := must.Get(redis.ParseURL(s.RedisURL()))(t)
		options.Username = ""
		options.Password = ""
		options.MaxRetries = -1
		if who != nil {
			options.Username = who.Username()
			options.Password, _ = who.Password()
		}
		rdb := redis.NewClient(options)
		for _, command := range [][]any{
			{"PING"}, {"GET", "k"}, {"SET", "k", "v"}, {"HGETALL", "k"}, {"KEYS", "*"}, {"SCAN", "0"}, {"TIME"}, {"INFO"}, {"FLUSHALL"},
			{"EVAL", "return redis.call('TIME')", "0"}, {"EVALSHA", "0", "0"}, {"SCRIPT", "LOAD", "return 1"}, {"SUBSCRIBE", "c"}, {"PUBLISH", "c", "m"},
			{"MULTI"}, {"SELECT", "1"}, {"SWAPDB", "0", "1"},
		} {
			err := rdb.Do(t.Context(), command...).Err()
			if err == nil || !strings.Contains(err.Error(), "NOAUTH") && !strings.Contains(err.Error(), "WRONGPASS") {
				t.Errorf("Redis answers %v to %v: %v", who, command, err)
			}
		}
		must.Check(t, rdb.Close())
	}
}

// TestPassword: another user of the machine could set every reward and stop every
// egress.
func TestPassword(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	var log telemetrytest.Log
	s := must.Get(local.Start(t.Context(), local.Config{Dir: dir, Log: log.Logger()}))(t)
	t.Cleanup(func() { must.Check(t, s.Close()) })
	first := password(t, s)
	refusesOthers(t, s)
	connect(t, s)
	must.Do(t, redisClient(t, s).Ping(t.Context()).Err())
	if text := log.String(); strings.Contains(text, first) || strings.Contains(text, "Plaintext") {
		t.Errorf("the log holds the password, or blames it:\n%s", text)
	}
	must.Do(t, s.Close())
	if _, err := os.Stat(filepath.Join(dir, "servers.json")); err == nil {
		t.Error("the password is still in its file")
	}
	if second := password(t, start(t, local.Config{Dir: dir})); second == first {
		t.Error("the next start has the same password")
	}
	if _, err := local.Start(t.Context(), local.Config{Dir: t.TempDir(), Password: "guessed"}); err == nil || !strings.Contains(err.Error(), "7 characters") ||
		strings.Contains(err.Error(), "guessed") {
		t.Errorf("a short password: %v, want its length alone", err)
	}
}

// TestPasswordOutlivesAFullDisk: clients come back to the server that is restarted, and
// nobody else does.
func TestPasswordOutlivesAFullDisk(t *testing.T) {
	t.Parallel()
	disktest.On(t, diskSize, func(disk disktest.Disk) {
		f := onDisk(t, disk)
		before := f.NATSURL()
		f.fill(t)
		disk.Free(t)
		must.Until(f.ctx, t, "NATS is restarted", func() bool { return f.log.Count(restarted) > 0 })
		f.write(t, 1) // by the same connection
		if f.NATSURL() != before {
			t.Error("the restarted server has another URL")
		}
		refusesOthers(t, f.Servers)
	})
}

// TestStateIsItsOwners: everything below is, since nobody else gets in.
func TestStateIsItsOwners(t *testing.T) {
	t.Parallel()
	opened := func(content string) string {
		dir := t.TempDir()
		must.Do(t, os.Chmod(dir, 0o777))
		if content != "" {
			must.Do(t, os.WriteFile(filepath.Join(dir, content), nil, 0o600))
		}
		return dir
	}
	missing := filepath.Join(t.TempDir(), "a", "b")
	for name, dir := range map[string]string{"missing": missing, "empty": opened(""), "a state": opened("lock")} {
		must.Check(t, local.CheckDir(dir))
		start(t, local.Config{Dir: dir})
		if mode := must.Get(os.Stat(dir))(t).Mode().Perm(); mode != 0o700 {
			t.Errorf("%s: the directory's mode is %#o, want 0700", name, mode)
		}
		for _, file := range []string{"servers.json", "lock"} {
			if mode := must.Get(os.Stat(filepath.Join(dir, file)))(t).Mode().Perm(); mode&0o077 != 0 {
				t.Errorf("%s: the mode of %s is %#o", name, file, mode)
			}
		}
	}
}

// TestOthersDirectoryIsRefused, and left as it is: closing it could shut others out of
// what is theirs.
func TestOthersDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	shared := t.TempDir()
	must.Do(t, os.Chmod(shared, 0o755))
	must.Do(t, os.WriteFile(filepath.Join(shared, "index.html"), nil, 0o600))
	refused := map[string]string{shared: "index.html"}
	if os.Geteuid() == 0 {
		foreign := t.TempDir()
		must.Do(t, os.Chown(foreign, 65534, 65534))
		refused[foreign] = "belongs to user 65534"
	}
	for dir, want := range refused {
		before := must.Get(os.Stat(dir))(t).Mode()
		_, err := local.Start(t.Context(), local.Config{Dir: dir, Log: quiet()})
		for _, err := range []error{err, local.CheckDir(dir)} {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("got %v, want an error about %s with %q", err, dir, want)
			}
		}
		if after := must.Get(os.Stat(dir))(t).Mode(); after != before {
			t.Errorf("%s: its mode was changed to %s", dir, after)
		}
	}
}
