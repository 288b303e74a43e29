//nolint:thelper // what takes a *testing.T here is a scenario, not a helper
package doctor_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/doctor"
	"mirrorfleet/producer/miners"
	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/certs/certstest"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/ratelimit/redistest"
)

// scenario is an installation with one fault, and what is to be found of it.
type scenario struct {
	code   doctor.Code
	status doctor.Status
	find   func(t *testing.T) []doctor.Finding
}

func redisScenarios() map[string]scenario {
	on := func(args ...string) func(t *testing.T) []doctor.Finding {
		return func(t *testing.T) []doctor.Finding {
			return run(t, doctor.Redis{URL: redistest.Start(t, args...).URL(), Limit: fast()}.Checks()...)
		}
	}
	trip := func(d time.Duration) func(*testing.T) []doctor.Finding {
		return func(*testing.T) []doctor.Finding { return doctor.JudgeTrip(d) }
	}
	return map[string]scenario{
		"nobody listens there": {doctor.RedisUnreachable, doctor.Fault, func(t *testing.T) []doctor.Finding {
			return run(t, doctor.Redis{URL: "redis://:secret@127.0.0.1:1", Limit: fast()}.Checks()...)
		}},
		"a key of Redis for everybody": {doctor.FileExposed, doctor.Fault, func(t *testing.T) []doctor.Finding {
			files := certs.Files{}
			files.Cert, files.Key = certstest.New(t).Issue(t, "client")
			must.Do(t, os.Chmod(files.Key, 0o644))
			return run(t, doctor.Redis{URL: "rediss://127.0.0.1:1", Files: ratelimit.Files{TLS: files}, Limit: fast()}.Checks()...)
		}},
		"Redis with a certificate of another CA": {doctor.RedisCertificate, doctor.Fault, func(t *testing.T) []doctor.Finding {
			cert, key := certstest.New(t).Issue(t, "redis")
			port := strconv.Itoa(nettest.FreePort(t))
			redistest.Start(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no")
			files := ratelimit.Files{TLS: certs.Files{CA: certstest.New(t).File}}
			return run(t, doctor.Redis{URL: "rediss://127.0.0.1:" + port, Files: files, Limit: fast()}.Checks()...)
		}},
		"a right of Redis that is missing": {doctor.RedisPermission, doctor.Fault, func(t *testing.T) []doctor.Finding {
			s := redistest.Start(t)
			url := asShipped(t, s)
			must.Do(t, s.Client(t).Do(t.Context(), "ACL", "SETUSER", "producer", "-subscribe").Err())
			return run(t, doctor.Redis{URL: url, Limit: fast()}.Checks()...)
		}},
		"a user of Redis who may do all": {doctor.RedisExcess, doctor.Warning, on()},
		"an old Redis": {doctor.RedisVersion, doctor.Fault, func(*testing.T) []doctor.Finding {
			return doctor.JudgeRedis(map[string]string{"redis_version": "6.2.14"})
		}},
		"a Redis that tells nothing": {doctor.RedisVersion, doctor.Warning, on("--rename-command", "INFO", "")},
		"no scripts":                 {doctor.RedisScripts, doctor.Fault, on("--rename-command", "EVAL", "")},
		"buckets that are evicted":   {doctor.RedisPolicy, doctor.Fault, on("--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")},
		"a policy without effect":    {doctor.RedisPolicy, doctor.Warning, on("--maxmemory-policy", "allkeys-lru")},
		"a replica": {doctor.RedisReplica, doctor.Fault, func(t *testing.T) []doctor.Finding {
			return run(t, doctor.Redis{URL: redistest.StartPair(t).Replica.URL(), Limit: fast()}.Checks()...)
		}},
		"a call too long": {doctor.RedisRoundTrip, doctor.Fault, trip(300 * time.Millisecond)},
		"a long call":     {doctor.RedisRoundTrip, doctor.Warning, trip(60 * time.Millisecond)},
		"a fleet without its past": {doctor.FleetEmpty, doctor.Warning, func(t *testing.T) []doctor.Finding {
			s := redistest.Start(t)
			nats, _, _ := declared(t)
			limit := fast()
			used(t, s.URL(), limit, 100)
			return run(t, doctor.Redis{URL: s.URL(), NATS: nats, Limit: limit}.Checks()...)
		}},
		"a rate too high": {doctor.LimitFormula, doctor.Fault, func(t *testing.T) []doctor.Finding {
			return run(t, doctor.Formula(ratelimit.Config{Rate: 5}))
		}},
		"other figures in force": {doctor.LimitFigures, doctor.Fault, func(t *testing.T) []doctor.Finding {
			url := redistest.Start(t).URL()
			used(t, url, fast(), 1)
			return run(t, doctor.Redis{URL: url}.Checks()...)
		}},
		"an egress that nobody declared": {doctor.EgressUndeclared, doctor.Warning, func(t *testing.T) []doctor.Finding {
			s := redistest.Start(t)
			nats, _, bus := declared(t)
			used(t, s.URL(), ratelimit.Config{Egress: "eu-1", Horizon: time.Second}, 1)
			used(t, s.URL(), ratelimit.Config{Egress: "stranger", Horizon: time.Second}, 1)
			if err := bus.Egresses.Set(t.Context(), job.Egresses{Names: []string{"eu-1"}, By: "p"}, 0); err != nil {
				t.Fatal(err)
			}
			found := run(t, doctor.Redis{URL: s.URL(), NATS: nats, Limit: ratelimit.Config{Egress: "eu-1"}}.Checks()...)
			if text := fmt.Sprint(found); !strings.Contains(text, "under stranger") || strings.Contains(text, "under eu-1") {
				t.Errorf("%v, want the stranger named alone", found)
			}
			return found
		}},
		"two egresses at one address": {doctor.EgressShared, doctor.Warning, func(t *testing.T) []doctor.Finding {
			return told(t, map[string]string{"eu-1": "192.0.2.1", "eu-2": "192.0.2.1"})
		}},
		"one egress at two addresses": {doctor.EgressSplit, doctor.Warning, func(t *testing.T) []doctor.Finding {
			return told(t, map[string]string{"eu-1": "192.0.2.1 192.0.2.2"})
		}},
		"addresses that cannot be read": {doctor.NotLookedAt, doctor.Warning, func(t *testing.T) []doctor.Finding {
			s := redistest.Start(t)
			used(t, s.URL(), fast(), 1)
			must.Do(t, s.Client(t).Set(t.Context(), "limit:{"+ratelimit.DefaultEgress+"}:addresses", "no hash", 0).Err())
			found := run(t, doctor.Redis{URL: s.URL(), Limit: fast()}.Checks()...)
			if text := fmt.Sprint(found); !strings.Contains(text, "are not compared") {
				t.Errorf("%v, want the comparison named", found)
			}
			return found
		}},
		"an egress of one's own that nobody declared": {doctor.EgressUndeclared, doctor.Warning, func(t *testing.T) []doctor.Finding {
			nats, _, bus := declared(t)
			if err := bus.Egresses.Set(t.Context(), job.Egresses{Names: []string{"eu-1"}, By: "p"}, 0); err != nil {
				t.Fatal(err)
			}
			return run(t, doctor.Redis{URL: redistest.Start(t).URL(), NATS: nats, Limit: ratelimit.Config{Egress: "eu-2"}}.Checks()...)
		}},
		"a declaration that cannot be read": {doctor.EgressUnreadable, doctor.Fault, func(t *testing.T) []doctor.Finding {
			nats, _, bus := declared(t)
			must.Get(bus.Bucket(job.BucketRounds).Put(t.Context(), job.EgressesKey, []byte("{")))(t)
			return run(t, doctor.Redis{URL: redistest.Start(t).URL(), NATS: nats}.Checks()...)
		}},
		"a user who may not scan": {doctor.RedisScan, doctor.Warning, func(t *testing.T) []doctor.Finding {
			s := redistest.Start(t)
			if err := s.Client(t).Do(t.Context(), "ACL", "SETUSER", "default", "-scan").Err(); err != nil {
				t.Fatal(err)
			}
			return run(t, doctor.Redis{URL: s.URL(), Limit: fast()}.Checks()...)
		}},
		"an egress that is held": {doctor.LimitStopped, doctor.Warning, func(t *testing.T) []doctor.Finding {
			s := redistest.Start(t)
			used(t, s.URL(), fast(), 1)
			rdb := must.Get(ratelimit.NewClient(s.URL(), 0))(t)
			defer rdb.Close()
			operator, err := ratelimit.NewOperator(ratelimit.DefaultEgress, rdb, time.Second)
			if err == nil {
				_, err = operator.Hold(t.Context(), time.Hour, ratelimit.Note{})
			}
			must.Do(t, err)
			return run(t, doctor.Redis{URL: s.URL(), Limit: fast()}.Checks()...)
		}},
	}
}

func parseTokens(data []byte) (string, []string, error) {
	stored, notes, err := miners.ParseTokens(data)
	return fmt.Sprintf("%d miners", len(stored)), notes, err
}

func fileScenarios() map[string]scenario {
	file := func(content string, mode os.FileMode) func(t *testing.T) []doctor.Finding {
		return func(t *testing.T) []doctor.Finding {
			path := filepath.Join(t.TempDir(), "file")
			must.Do(t, os.WriteFile(path, []byte(content), mode))
			found := run(t, doctor.FileChecks([]doctor.File{{Flag: "tokens", Path: path, Secret: true, Parse: parseTokens}})...)
			if text := fmt.Sprint(found); strings.Contains(text, "ghp_") {
				t.Errorf("a token is shown: %s", text)
			}
			return found
		}
	}
	state := func(dir func(t *testing.T) string) func(t *testing.T) []doctor.Finding {
		return func(t *testing.T) []doctor.Finding { return run(t, doctor.State(dir(t), local.CheckDir)) }
	}
	space := func(left int64) func(*testing.T) []doctor.Finding {
		return func(*testing.T) []doctor.Finding { return doctor.JudgeSpace("state", left) }
	}
	return map[string]scenario{
		"no file": {doctor.FileUnreadable, doctor.Fault, func(t *testing.T) []doctor.Finding {
			return run(t, doctor.FileChecks([]doctor.File{{Flag: "miners", Path: "/nowhere/miners.json", Parse: parseTokens}})...)
		}},
		"a file half-written":  {doctor.FileInvalid, doctor.Fault, file(`[{"uid": 3, "pat": "ghp_abc`, 0o600)},
		"an entry without uid": {doctor.FileInvalid, doctor.Warning, file(`[{"uid": 3, "pat": "ghp_abc"}, {"pat": "ghp_def"}]`, 0o600)},
		"tokens for everybody": {doctor.FileExposed, doctor.Fault, file(`[{"uid": 3, "pat": "ghp_abc"}]`, 0o644)},
		"a state that is a file": {doctor.StateUnusable, doctor.Fault, state(func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "state")
			must.Do(t, os.WriteFile(path, nil, 0o600))
			return path
		})},
		"a state where other things are": {doctor.StateUnusable, doctor.Fault, state(func(t *testing.T) string {
			dir := t.TempDir()
			must.Do(t, os.WriteFile(filepath.Join(dir, "index.html"), nil, 0o600))
			must.Do(t, os.Chmod(dir, 0o755))
			return dir
		})},
		"a full disk":         {doctor.StateSpace, doctor.Fault, space(100 << 20)},
		"a disk nearly full":  {doctor.StateSpace, doctor.Warning, space(2 << 30)},
		"no worker beside it": {doctor.WorkerMissing, doctor.Warning, func(t *testing.T) []doctor.Finding { return run(t, doctor.Grammars("/nowhere/worker", "")) }},
	}
}

func mirrorScenarios() map[string]scenario {
	answering := func(handle http.HandlerFunc) func(t *testing.T) []doctor.Finding {
		return func(t *testing.T) []doctor.Finding {
			s := httptest.NewServer(handle)
			t.Cleanup(s.Close)
			return run(t, doctor.Mirror{URL: s.URL, Redis: redistest.Start(t).URL(), Limit: fast(), Log: jobstreamtest.Quiet(), Now: time.Now()}.Check())
		}
	}
	judged := func(address string, r mirror.Reached) func(*testing.T) []doctor.Finding {
		return func(*testing.T) []doctor.Finding {
			return doctor.JudgeMirror(address, r, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
		}
	}
	well := mirror.Reached{Status: http.StatusOK, Mirror: true, TLS: "TLS 1.3", Expires: time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)}
	sluggish := well
	expiring := well
	open := well
	sluggish.Latency = 3 * time.Second
	expiring.Expires = time.Date(2026, 6, 4, 0, 0, 0, 0, time.UTC)
	open.TLS = ""
	return map[string]scenario{
		"no permits": {doctor.MirrorNotAsked, doctor.Warning, func(t *testing.T) []doctor.Finding {
			return run(t, doctor.Mirror{URL: "http://127.0.0.1:1", Redis: "redis://127.0.0.1:1", Limit: fast(), Log: jobstreamtest.Quiet()}.Check())
		}},
		"nobody answers": {doctor.MirrorUnreachable, doctor.Fault, func(t *testing.T) []doctor.Finding {
			return run(t, doctor.Mirror{URL: "http://127.0.0.1:1", Redis: redistest.Start(t).URL(), Limit: fast(), Log: jobstreamtest.Quiet()}.Check())
		}},
		"the mirror is ill":       {doctor.MirrorStatus, doctor.Fault, answering(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })},
		"another server":          {doctor.MirrorStatus, doctor.Fault, answering(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") })},
		"the IP is over it":       {doctor.MirrorOverLimit, doctor.Fault, answering(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) })},
		"a slow mirror":           {doctor.MirrorSlow, doctor.Warning, judged("https://mirror.test", sluggish)},
		"no encryption":           {doctor.MirrorPlain, doctor.Warning, judged("http://mirror.test", open)},
		"a certificate that ends": {doctor.MirrorCertificate, doctor.Warning, judged("https://mirror.test", expiring)},
	}
}

// metElsewhere are codes whose faults need the worker command.
var metElsewhere = map[doctor.Code]string{
	doctor.GrammarsUnusable: "producer TestDoctorFindsWrongGrammars", doctor.GrammarsFigures: "producer TestDoctorFindsWrongGrammars",
	doctor.SandboxLacking: "producer TestDoctorFindsALackingSandbox",
}

// TestEveryFaultIsFound: an installation for each fault and warning that doctor
// names, with real servers wherever a server can have it; and each code is
// documented.
func TestEveryFaultIsFound(t *testing.T) { //nolint:tparallel // the scenarios end before the codes are counted
	t.Parallel()
	b := &book{met: map[doctor.Code]bool{}}
	t.Run("scenarios", func(t *testing.T) {
		for _, group := range []map[string]scenario{refusals(), natsScenarios(), streamScenarios(), redisScenarios(), clockScenarios(), fileScenarios(), mirrorScenarios()} {
			for name, s := range group {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					found := s.find(t)
					b.note(found)
					if !has(found, s.code, s.status) {
						t.Errorf("found %+v, want a %s %s", found, s.status, s.code)
					}
				})
			}
		}
	})
	docs := must.Get(os.ReadFile(filepath.Join("..", "..", "docs", "troubleshoot.md")))(t)
	for _, code := range doctor.Codes() {
		if !b.met[code] && metElsewhere[code] == "" {
			t.Errorf("no scenario has the fault %s", code)
		}
		if !strings.Contains(string(docs), "`"+string(code)+"`") {
			t.Errorf("docs/troubleshoot.md does not list %s", code)
		}
	}
}

// TestAllIsWell: a whole installation has no fault; only the roles, which have
// one user here, are warned of.
func TestAllIsWell(t *testing.T) {
	t.Parallel()
	url, _, bus := declared(t)
	must.Do(t, bus.Rounds.CreateManifest(t.Context(), job.Manifest{Round: "r1"}))
	waitForJobs(t, bus)
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { asked++; fmt.Fprint(w, `{"status":"ok"}`) }))
	t.Cleanup(s.Close)
	server := redistest.Start(t)
	redis := asShipped(t, server)
	clock := make(chan doctor.Clock, 1)
	checks := slices.Concat(natsChecks(doctor.NATS{URL: url}), doctor.Redis{URL: redis, NATS: url, Limit: fast()}.Checks(), []doctor.Check{
		doctor.Formula(fast()), doctor.State(filepath.Join(t.TempDir(), "not", "yet"), local.CheckDir),
		doctor.Mirror{URL: s.URL, Redis: redis, Limit: fast(), Log: jobstreamtest.Quiet(), Now: time.Now(), Clock: clock}.Check(),
		doctor.Clocks{NATS: url, Redis: redis, Mirror: clock}.Check(),
	})
	found := run(t, checks...)
	for _, f := range found {
		// A busy machine makes calls slow: that is true then, and not what is tested.
		if f.Status != doctor.OK && f.Code != doctor.PermissionExcess && f.Code != doctor.RedisRoundTrip && f.Code != doctor.MirrorSlow {
			t.Errorf("%+v", f)
		}
	}
	if text := fmt.Sprint(found); !strings.Contains(text, "this machine, NATS server ") || !strings.Contains(text, " and Redis are within") ||
		!strings.Contains(text, "the mirror's is within") {
		t.Errorf("%s: want all clocks compared", text)
	}
	if asked != 1 {
		t.Errorf("the mirror was asked %d times, want once", asked)
	}
	keys, err := server.Client(t).Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 1 {
		t.Errorf("Redis holds %v, %v, want the bucket alone", keys, err)
	}
}

// TestRunKeepsOrderAndTime: findings come in the order of the checks, whichever
// ends first, and a check that hangs is ended.
func TestRunKeepsOrderAndTime(t *testing.T) {
	t.Parallel()
	first := make(chan struct{})
	found := doctor.Run(t.Context(), []doctor.Check{
		{Name: "late", Run: func(ctx context.Context) []doctor.Finding {
			<-first
			<-ctx.Done()
			return []doctor.Finding{{Text: context.Cause(ctx).Error()}}
		}},
		{Name: "early", Run: func(context.Context) []doctor.Finding { close(first); return []doctor.Finding{{Text: "x"}} }},
	}, time.Millisecond)
	if len(found) != 2 || found[0].Check != "late" || found[1].Check != "early" || !strings.Contains(found[0].Text, "within 1ms") {
		t.Errorf("%+v", found)
	}
}

// TestChecksEnd: under a context that has ended every check says something and
// none hangs.
func TestChecksEnd(t *testing.T) {
	t.Parallel()
	url := natsServer(t, withJetStream).ClientURL()
	server := redistest.Start(t)
	checks := append(natsChecks(doctor.NATS{URL: url}), doctor.Redis{URL: server.URL(), Limit: fast()}.Checks()...)
	checks = append(checks,
		doctor.Mirror{URL: "http://127.0.0.1:1", Redis: server.URL(), Limit: fast(), Log: jobstreamtest.Quiet()}.Check(),
		doctor.Clocks{NATS: url, Redis: server.URL(), Mirror: make(chan doctor.Clock)}.Check())
	found := doctor.Run(ended(t), checks, patience)
	if len(found) < len(checks) || slices.ContainsFunc(found, func(f doctor.Finding) bool { return f.Status == doctor.OK }) {
		t.Errorf("%d findings of %d checks: %+v, want something wrong with each", len(found), len(checks), found)
	}
}

// told is what the doctor finds where processes have told these addresses, several of one
// egress with spaces between them.
func told(t *testing.T, addresses map[string]string) []doctor.Finding {
	t.Helper()
	s := redistest.Start(t)
	nats, _, bus := declared(t)
	must.Do(t, bus.Egresses.Set(t.Context(), job.Egresses{Names: []string{"eu-1", "eu-2"}, By: "p"}, 0))
	rdb := must.Get(ratelimit.NewClient(s.URL(), 0))(t)
	t.Cleanup(func() { _ = rdb.Close() })
	for egress, of := range addresses {
		cfg := ratelimit.Config{Egress: egress, Horizon: time.Second}
		used(t, s.URL(), cfg, 1)
		l := must.Get(ratelimit.New(cfg, rdb))(t)
		for a := range strings.FieldsSeq(of) {
			must.Do(t, l.Tell(t.Context(), "worker at "+a, []netip.Addr{netip.MustParseAddr(a)}))
		}
		must.Check(t, l.Close())
	}
	return run(t, doctor.Redis{URL: s.URL(), NATS: nats, Limit: ratelimit.Config{Egress: "eu-1", Horizon: time.Second}}.Checks()...)
}
