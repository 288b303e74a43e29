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

// used starts the servers of a state directory, as a local round does. It takes a permit,
// so that there is a bucket.
func used(t *testing.T, egress string) (dir, redis string) {
	t.Helper()
	dir = t.TempDir()
	servers := jobstreamtest.StartIn(t, dir)
	also(t, servers.RedisURL(), egress)
	return dir, servers.RedisURL()
}

// An operator looks, holds, lengthens and releases. The figures shown are those in force,
// not those of this process's settings.
func TestLimitCommand(t *testing.T) {
	t.Parallel()
	dir, redis := used(t, "by-hand")
	page := func(args ...string) view.Bucket {
		t.Helper()
		return printed[view.Bucket](t, "Bucket", 0, append([]string{"limit", "--egress", "by-hand"}, args...)...)
	}
	if got := page("--redis", redis); got.Limit != 50 || got.Horizon != 0.1 || got.Hold != 0 || got.Granted < 1 {
		t.Errorf("the bucket is %+v, want a horizon of 0.1 s, no hold and a permit", got)
	}
	if got := page("--redis", redis, "--hold", "59m30s", "--reason", "the mirror moves"); got.Hold < 3500 || got.NextSlotIn < got.Hold ||
		!strings.Contains(got.HeldBy, "@") || got.HeldWhy != "the mirror moves" {
		t.Errorf("after --hold 59m30s the bucket is %+v, want that hold, with who and why", got)
	}
	if got := page("--local", "--state", dir, "--hold", "5m", "--by", "bob"); got.Hold < 3000 || got.HeldBy == "bob" {
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
	coolDown(t, redis, "by-hand", 10*time.Minute-5*time.Second)
	says("The hold is released. Egress by-hand stays stopped until ", "--release")
	if e := run(t, "producer", "limit", "--redis", redis, "--egress", "by-hand", "--release"); e.code != 2 ||
		!strings.Contains(e.stderr, "is not held; it cools down for 9m") {
		t.Errorf("exit %d, want that the cool-down is named\n%s", e.code, e.stderr)
	}
	e = run(t, "producer", "limit", "--redis", redis, "--egress", "by-hand", "--end-cool-down", "other")
	if got := page("--redis", redis); e.code != 2 || !strings.Contains(e.stderr, "send nothing for 9m") || got.CoolDown < 500 {
		t.Errorf("exit %d and %+v, want the warning and the cool-down as it was\n%s", e.code, got, e.stderr)
	}
	says("The cool-down is ended: nothing stops egress by-hand any more.", "--end-cool-down", "by-hand")
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"no hold to release":      {[]string{"--redis", redis, "--egress", "by-hand", "--release"}, []string{"--release", "by-hand is not held"}},
		"an egress without":       {[]string{"--redis", redis, "--egress", "other"}, []string{"other", "no bucket", "there is by-hand"}},
		"a hold without a bucket": {[]string{"--redis", redis, "--egress", "other", "--hold", "1m"}, []string{"other", "no bucket"}},
		"no egress's name":        {[]string{"--redis", redis, "--egress", "{x}"}, []string{"--egress", `"{x}"`, "letters"}},
		"a reason for nothing":    {[]string{"--redis", redis, "--reason", "why"}, []string{"--reason", "--hold"}},
		"a reason too long":       {[]string{"--redis", redis, "--hold", "5s", "--reason", strings.Repeat("x", 201)}, []string{"--reason", "201", "200"}},
		"no cool-down to end":     {[]string{"--redis", redis, "--egress", "by-hand", "--end-cool-down", ""}, []string{"by-hand does not cool down"}},
		"two orders":              {[]string{"--redis", redis, "--hold", "5s", "--end-cool-down", "default"}, []string{"--end-cool-down excludes"}},
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

// TestUndeclaredBucketsAreShown by egresses and doctor, beside the declared ones that have none.
func TestUndeclaredBucketsAreShown(t *testing.T) {
	t.Parallel()
	dir, redis := used(t, "eu-1")
	also(t, redis, "stranger")
	found := must.Get(local.Find(dir))(t)
	bus, _ := jobstreamtest.Open(t, found.NATS, jobstream.Config{})
	list := func(args ...string) view.Egresses {
		t.Helper()
		return printed[view.Egresses](t, "Egresses", 0, append([]string{"egresses"}, args...)...)
	}
	doctor := []string{"--nats", found.NATS, "--redis", redis, "--mirror", "http://127.0.0.1:9", "--egress", "eu-1", "--limit-horizon", "100ms"}
	if l := list("--redis", redis, "--nats", found.NATS); len(l.Egresses) != 2 || len(l.Undeclared()) != 0 || l.Declared != nil {
		t.Errorf("before anybody declared: %+v, want both, and nothing against them", l)
	}
	must.Do(t, bus.Egresses.Set(t.Context(), job.Egresses{Names: []string{"eu-1", "eu-2"}, By: "p"}, 0))
	for _, args := range [][]string{{"--redis", redis, "--nats", found.NATS}, {"--local", "--state", dir}} {
		l := list(args...)
		if !slices.Equal(l.Undeclared(), []string{"stranger"}) || !slices.Equal(l.Declared, []string{"eu-1", "eu-2"}) ||
			len(l.Egresses) != 3 || !l.Egresses[0].Bucket || l.Egresses[1].Egress != "eu-2" || l.Egresses[1].Bucket {
			t.Errorf("%v: %+v, want the stranger undeclared, and eu-2 without a bucket", args, l)
		}
		for _, want := range []string{"has declared eu-1, eu-2", "NOT DECLARED: stranger", "no bucket"} {
			if e := run(t, "producer", append([]string{"egresses"}, args...)...); e.code != 0 || !strings.Contains(e.stdout, want) {
				t.Errorf("%v: exit %d, want %q\n%s%s", args, e.code, want, e.stdout, e.stderr)
			}
		}
	}
	if l := list("--redis", redis); len(l.Egresses) != 2 || len(l.Undeclared()) != 0 {
		t.Errorf("without NATS: %+v, want both, and nothing against them", l)
	}
	config := filepath.Join(t.TempDir(), "fleet.yaml")
	write(t, config, "egress: eu-1\n") // what every producer and worker of the machine has
	if b := printed[view.Bucket](t, "Bucket", 0, "limit", "--config", config, "--redis", redis); b.Egress != "eu-1" {
		t.Errorf("%+v, want the bucket of eu-1", b)
	}
	also(t, redis, ratelimit.DefaultEgress)
	if b := printed[view.Bucket](t, "Bucket", 0, "limit", "--redis", redis); b.Egress != ratelimit.DefaultEgress {
		t.Errorf("%+v, want the default egress's bucket", b)
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

// also makes another bucket by taking a permit of its egress.
func also(t *testing.T, redis, egress string) {
	t.Helper()
	limiting(t, redis, egress, func(l *ratelimit.Limiter) error { _, err := l.Permit(t.Context()); return err })
}

// coolDown does what a process does after the mirror has asked it for a pause.
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
