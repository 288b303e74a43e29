package ratelimit_test

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/ratelimit/redistest"
	"mirrorfleet/shared/whoami"
)

// What processes tell is found beside their buckets until they leave, whatever else lies there.
// It changes no bucket, and is no egress of its own.
func TestProcessesTellTheirAddresses(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	rdb := must.Get(ratelimit.NewClient(redistest.Start(t).URL(), time.Minute))(t)
	defer rdb.Close()
	limiters := map[string]*ratelimit.Limiter{}
	for _, name := range []string{"eu-1", "eu-2"} {
		l := must.Get(ratelimit.New(ratelimit.Config{Egress: name, Horizon: time.Second}, rdb))(t)
		defer l.Close()
		must.Get(l.Permit(ctx))(t)
		limiters[name] = l
	}
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	must.Do(t, rdb.HSet(ctx, "limit:{eu-1}:addresses", "processes", `{"old":{"at":1,"from":"192.0.2.9"},"odd":7}`).Err())
	tell(t, limiters["eu-1"], "worker b", []netip.Addr{v4, v6})
	tell(t, limiters["eu-1"], "worker a\x1b[2J", []netip.Addr{v4})
	tell(t, limiters["eu-2"], "gateway", []netip.Addr{v4})
	read := func() map[string][]whoami.Process {
		found := map[string][]whoami.Process{}
		for _, b := range must.Get(ratelimit.Buckets(ctx, rdb, time.Minute))(t) {
			found[b.Egress] = b.Processes
		}
		return found
	}
	want := map[string][]whoami.Process{
		"eu-1": {
			{Egress: "eu-1", Name: "worker a [2J", Addresses: []netip.Addr{v4}},
			{Egress: "eu-1", Name: "worker b", Addresses: []netip.Addr{v4, v6}},
		},
		"eu-2": {{Egress: "eu-2", Name: "gateway", Addresses: []netip.Addr{v4}}},
	}
	found := read()
	if diff := cmp.Diff(want, found, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	if odd := ratelimit.Compare(must.Get(ratelimit.Buckets(ctx, rdb, time.Minute))(t)); len(odd.Shared) != 1 || odd.Shared[0].String() != "192.0.2.1 (eu-1, eu-2)" {
		t.Errorf("shared %v, want 192.0.2.1 of both", odd.Shared)
	}
	tell(t, limiters["eu-2"], "gateway", nil)
	if left := read()["eu-2"]; len(left) != 0 {
		t.Errorf("%v is left, want nobody", left)
	}
	for name, text := range map[string]string{
		"no JSON": "{", "an array": "[1]", "a bad address": `{"x":{"at":9e9,"from":"\u001b[2J"}}`, "much": strings.Repeat("x", 1<<20),
	} {
		must.Do(t, rdb.HSet(ctx, "limit:{eu-2}:addresses", "processes", text).Err())
		if left := read()["eu-2"]; len(left) != 0 {
			t.Errorf("%s: read as %v, want nobody", name, left)
		}
		tell(t, limiters["eu-2"], "gateway", []netip.Addr{v6})
		if told := read()["eu-2"]; len(told) != 1 {
			t.Errorf("%s: then read as %v, want the gateway alone", name, told)
		}
	}
}

// Whoever holds the password of a worker may write anything there. A record that is too long
// stays in Redis, decoded by nobody, until the next process tells. Other fields than ours are
// dropped: cjson reads an infinity, and refuses to write one.
func TestALongRecordOfAddressesIsNotRead(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	rdb := must.Get(ratelimit.NewClient(redistest.Start(t).URL(), time.Minute))(t)
	defer rdb.Close()
	l := must.Get(ratelimit.New(ratelimit.Config{Egress: "eu", Horizon: time.Second}, rdb))(t)
	defer l.Close()
	must.Get(l.Permit(ctx))(t)
	now := must.Get(rdb.Time(ctx).Result())(t).Unix()
	write := func(padding int) {
		text := fmt.Sprintf(`{"old":{"at":%d,"from":"192.0.2.9","x":1e999},"pad":"%s"}`, now, strings.Repeat("x", padding))
		must.Do(t, rdb.HSet(ctx, "limit:{eu}:addresses", "processes", text).Err())
	}
	read := func() (names []string) {
		buckets := must.Get(ratelimit.Buckets(ctx, rdb, time.Minute))(t)
		must.Do(t, ratelimit.Unread(buckets))
		for _, p := range buckets[0].Processes {
			names = append(names, p.Name)
		}
		return names
	}
	for padding, want := range map[int]string{200_000: "[new old]", 256_000: "[new]", 20 << 20: "[new]"} {
		write(padding)
		before := sent(t, rdb)
		read()
		if got := sent(t, rdb) - before; got > 300_000 {
			t.Errorf("a record of %d bytes: %d bytes are fetched, want none of one that is too long", padding, got)
		}
		tell(t, l, "new", []netip.Addr{netip.MustParseAddr("192.0.2.1")})
		if got := fmt.Sprint(read()); got != want {
			t.Errorf("a record of %d bytes: then %s have told, want %s", padding, got, want)
		}
	}
}

// tell tells a process's addresses. On a busy machine a call may miss its timeout.
func tell(t *testing.T, l *ratelimit.Limiter, process string, addresses []netip.Addr) {
	t.Helper()
	must.Until(t.Context(), t, "the addresses are told", func() bool { return l.Tell(t.Context(), process, addresses) == nil })
}

// sent is how many bytes the server has sent.
func sent(t *testing.T, rdb *redis.Client) int {
	t.Helper()
	_, after, _ := strings.Cut(must.Get(rdb.Info(t.Context(), "stats").Result())(t), "total_net_output_bytes:")
	figure, _, _ := strings.Cut(after, "\r")
	return must.Get(strconv.Atoi(figure))(t)
}

// A bucket is listed without addresses that cannot be read, with the reason.
func TestAddressesThatCannotBeReadAreMissing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	rdb := must.Get(ratelimit.NewClient(redistest.Start(t).URL(), time.Minute))(t)
	defer rdb.Close()
	l := must.Get(ratelimit.New(ratelimit.Config{Egress: "eu", Horizon: time.Second}, rdb))(t)
	defer l.Close()
	must.Get(l.Permit(ctx))(t)
	must.Do(t, rdb.Set(ctx, "limit:{eu}:addresses", "no hash", 0).Err())
	got, err := ratelimit.Buckets(ctx, rdb, time.Minute)
	if err != nil || len(got) != 1 || got[0].Granted != 1 || len(got[0].Processes) != 0 {
		t.Fatalf("got %+v, %v; want the bucket without addresses", got, err)
	}
	if err := ratelimit.Unread(got); err == nil || !strings.Contains(err.Error(), "addresses of egress eu") {
		t.Errorf("unread for %v, want the egress and the reason", err)
	}
}
