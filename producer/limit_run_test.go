package main_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
)

// used starts the servers of a state directory, as a local round does, and takes
// a permit, so that there is a bucket.
func used(t *testing.T, egress string) (dir, redis string) {
	t.Helper()
	dir = t.TempDir()
	servers := jobstreamtest.StartIn(t, dir)
	also(t, servers.RedisURL(), egress)
	return dir, servers.RedisURL()
}

// The command as an operator uses it: look, hold, lengthen, release; the figures
// are those in force, whatever this process's own settings are.
func TestLimitCommand(t *testing.T) {
	t.Parallel()
	dir, redis := used(t, "by-hand")
	page := func(args ...string) view.Bucket {
		t.Helper()
		return printed[view.Bucket](t, "Bucket", 0, append([]string{"limit", "--egress", "by-hand"}, args...)...)
	}
	all := printed[view.Limit](t, "Limit", 0, "limit", "--egress", "by-hand", "--redis", redis)
	if all.Bucket == nil || len(all.Egresses) != 1 {
		t.Fatalf("%+v, want the one bucket, listed and whole", all)
	}
	if got := all.Bucket; got.Limit != 50 || got.Horizon != 0.1 || got.Hold != 0 || got.Granted < 1 {
		t.Errorf("the bucket is %+v, want a horizon of 0.1 s, no hold and a permit", got)
	}
	if got := page("--redis", redis, "--hold", "1h"); got.Hold < 3500 || got.NextSlotIn < got.Hold {
		t.Errorf("after --hold 1h the bucket is %+v, want a hold of an hour", got)
	}
	if got := page("--local", "--state", dir, "--hold", "5m"); got.Hold < 3000 {
		t.Errorf("after --hold 5m the bucket is %+v, want the longer hold to stay", got)
	}
	e := run(t, "producer", "limit", "--local", "--state", dir, "--egress", "by-hand")
	if e.code != 0 || !strings.Contains(e.stdout, "HELD by hand for 59m") {
		t.Errorf("exit %d, want the hold in words\n%s%s", e.code, e.stdout, e.stderr)
	}
	says := func(want string, args ...string) {
		t.Helper()
		e := run(t, "producer", append([]string{"limit", "--local", "--state", dir, "--egress", "by-hand"}, args...)...)
		if text := strings.Join(strings.Fields(e.stdout), " "); e.code != 0 || !strings.HasPrefix(text, want) {
			t.Errorf("%v: exit %d, want it to begin with %q\n%s%s", args, e.code, want, e.stdout, e.stderr)
		}
	}
	says("Egress by-hand already has a hold that ends later than 1m0s from now, and that hold stays: until ", "--hold", "1m")
	if got := page("--local", "--state", dir, "--release"); got.Hold != 0 {
		t.Errorf("after --release the bucket is %+v, want no hold", got)
	}
	says("Egress by-hand is held until ", "--hold", "1m")
	coolDown(t, redis, "by-hand", 10*time.Minute)
	says("The hold is released. Egress by-hand stays stopped until ", "--release")
	if e := run(t, "producer", "limit", "--redis", redis, "--egress", "by-hand", "--release"); e.code != 2 ||
		!strings.Contains(e.stderr, "is not held; it cools down for 9m") {
		t.Errorf("exit %d, want that the cool-down is named\n%s", e.code, e.stderr)
	}
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"no hold to release":      {[]string{"--redis", redis, "--egress", "by-hand", "--release"}, []string{"--release", "by-hand is not held"}},
		"an egress without":       {[]string{"--redis", redis, "--egress", "other"}, []string{"other", "no bucket", "there are by-hand"}},
		"a hold without a bucket": {[]string{"--redis", redis, "--egress", "other", "--hold", "1m"}, []string{"other", "no bucket"}},
		"no egress's name":        {[]string{"--redis", redis, "--egress", "{x}"}, []string{"--egress", `"{x}"`, "letters"}},
		"a negative hold":         {[]string{"--redis", redis, "--hold", "-5s"}, []string{"--hold -5s", "1s to 24h"}},
		"a hold of days":          {[]string{"--redis", redis, "--hold", "25h"}, []string{"--hold 25h", "1s to 24h"}},
		"no length":               {[]string{"--redis", redis, "--hold", "long"}, []string{"long", "--help"}},
		"both":                    {[]string{"--redis", redis, "--hold", "5s", "--release"}, []string{"--hold and --release"}},
		"no Redis":                {nil, []string{"--redis", "--local"}},
		"two":                     {[]string{"--local", "--redis", redis}, []string{"--local", "--redis"}},
		"no round":                {[]string{"--local", "--state", filepath.Join(dir, "none")}, []string{"--state", "no local round is running", "--redis"}},
	} {
		e := run(t, "producer", append([]string{"limit"}, c.args...)...)
		if e.code != 2 || e.stdout != "" {
			t.Errorf("%s: exit %d, want 2 and nothing on standard output\n%s", name, e.code, e.stdout)
		}
		for _, want := range c.want {
			if !strings.Contains(e.stderr, want) {
				t.Errorf("%s: %q is not in %s", name, want, e.stderr)
			}
		}
	}
}

// TestUndeclaredBucketsAreShown by limit and doctor, whatever egress is looked at.
func TestUndeclaredBucketsAreShown(t *testing.T) {
	t.Parallel()
	dir, redis := used(t, "eu-1")
	also(t, redis, "stranger")
	found, err := local.Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	bus, _ := jobstreamtest.Open(t, found.NATS, jobstream.Config{})
	list := func(args ...string) view.Limit {
		t.Helper()
		return printed[view.Limit](t, "Limit", 0, append([]string{"limit"}, args...)...)
	}
	doctor := []string{"--nats", found.NATS, "--redis", redis, "--mirror", "http://127.0.0.1:9", "--egress", "eu-1", "--limit-horizon", "100ms"}
	if l := list("--redis", redis, "--nats", found.NATS); len(l.Egresses) != 2 || len(l.Undeclared()) != 0 || l.Declared != nil || l.Bucket != nil {
		t.Errorf("before anybody declared: %+v, want both, and nothing against them", l)
	}
	if err := bus.Egresses.Set(t.Context(), job.Egresses{Names: []string{"eu-1", "eu-2"}, By: "p"}, 0); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--redis", redis, "--nats", found.NATS}, {"--local", "--state", dir}} {
		if l := list(args...); !slices.Equal(l.Undeclared(), []string{"stranger"}) || !slices.Equal(l.Declared, []string{"eu-1", "eu-2"}) {
			t.Errorf("%v: %+v, want the stranger undeclared", args, l)
		}
		for want, more := range map[string][]string{
			"has declared eu-1, eu-2": nil, "NOT DECLARED": nil, "Egress eu-1": {"--egress", "eu-1"}, "NOT DECLARED: stranger": {"--egress", "eu-1"},
		} {
			if e := run(t, "producer", slices.Concat([]string{"limit"}, args, more)...); e.code != 0 || !strings.Contains(e.stdout, want) {
				t.Errorf("%v %v: exit %d, want %q\n%s%s", args, more, e.code, want, e.stdout, e.stderr)
			}
		}
	}
	if l := list("--redis", redis); len(l.Egresses) != 2 || len(l.Undeclared()) != 0 {
		t.Errorf("without NATS: %+v, want both, and nothing against them", l)
	}
	config := filepath.Join(t.TempDir(), "fleet.yaml")
	write(t, config, "egress: eu-1\n") // what every producer and worker of the machine has
	for _, own := range [][]string{{"--egress", "eu-1"}, {"--config", config}} {
		l := list(append(own, "--redis", redis, "--nats", found.NATS)...)
		if len(l.Egresses) != 2 || !slices.Equal(l.Undeclared(), []string{"stranger"}) || l.Bucket == nil || l.Bucket.Egress != "eu-1" {
			t.Errorf("%v: %+v, want all listed and eu-1 whole", own, l)
		}
	}
	also(t, redis, ratelimit.DefaultEgress)
	if l := list("--redis", redis); l.Bucket == nil || l.Bucket.Egress != ratelimit.DefaultEgress {
		t.Errorf("%+v, want the default egress's bucket whole", l)
	}
	d := examined(t, 1, doctor...) // the mirror is away
	var text []string
	for _, c := range d.Checks {
		if c.Code == "egress-undeclared" && c.Status == "warning" {
			text = append(text, c.Text)
		}
	}
	if all := strings.Join(text, "\n"); len(text) != 2 || !strings.Contains(all, "stranger") || !strings.Contains(all, "default") {
		t.Errorf("%v, want a warning of the stranger and of default", d)
	}
}

// also makes a bucket by taking a permit of an egress.
func also(t *testing.T, redis, egress string) {
	t.Helper()
	limiting(t, redis, egress, func(l *ratelimit.Limiter) error { _, err := l.Permit(t.Context()); return err })
}

// coolDown is what a process does that the mirror has asked for a pause.
func coolDown(t *testing.T, redis, egress string, length time.Duration) {
	t.Helper()
	limiting(t, redis, egress, func(l *ratelimit.Limiter) error { return l.CoolDown(t.Context(), length) })
}

func limiting(t *testing.T, redis, egress string, do func(*ratelimit.Limiter) error) {
	t.Helper()
	rdb := must.Get(ratelimit.NewClient(redis, 0))(t)
	defer rdb.Close()
	limiter := must.Get(ratelimit.New(ratelimit.Config{Egress: egress, Window: time.Second, Horizon: 100 * time.Millisecond}, rdb))(t)
	defer limiter.Close()
	must.Do(t, do(limiter))
}
