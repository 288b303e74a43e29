//nolint:thelper // what takes a *testing.T here is a scenario, not a helper
package doctor_test

import (
	"fmt"
	"strings"
	"testing"

	"mirrorfleet/producer/doctor"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit/redistest"
)

// refusals are installations whose servers answer and refuse: what is found says so,
// with the server's own code, and nothing says that it does not answer.
func refusals() map[string]scenario {
	named := func(t *testing.T, found []doctor.Finding, code string) []doctor.Finding {
		t.Helper()
		text := fmt.Sprint(found)
		if !strings.Contains(text, "refuses: ") || !strings.Contains(text, code) || strings.Contains(text, "does not answer") {
			t.Errorf("%+v: want a refusal with %s", found, code)
		}
		return found
	}
	codes := map[string]doctor.Code{
		"out of memory": doctor.RedisRefuses, "read-only": doctor.RedisReplica, "script forbidden": doctor.RedisPermission,
		"wrong password": doctor.RedisRefuses, "loading": doctor.RedisRefuses,
		"account full": doctor.NATSRefuses, "stream full": doctor.NATSRefuses, "stream gone": doctor.NATSRefuses,
		"right gone": doctor.PermissionMissing,
	}
	all := map[string]scenario{}
	for name, fault := range redistest.Faults() {
		all["Redis: "+name] = scenario{codes[name], doctor.Fault, func(t *testing.T) []doctor.Finding {
			s := redistest.StartFaulty(t, fault)
			used(t, s.URL(), fast(), 1)
			s.Break(t)
			return named(t, run(t, doctor.Redis{URL: s.URL(), Limit: fast()}.Checks()...), fault.Code)
		}}
	}
	for name, fault := range jobstreamtest.Faults() {
		if name == "wrong password" {
			continue // before it connects: "the password is another"
		}
		all["NATS: "+name] = scenario{codes[name], doctor.Fault, func(t *testing.T) []doctor.Finding {
			s := jobstreamtest.StartFaulty(t, fault)
			jobstreamtest.Open(t, s.NATSURL(), jobstream.Config{})
			s.Break(t)
			return named(t, run(t, natsChecks(doctor.NATS{URL: s.NATSURL()})...), fault.Code)
		}}
	}
	all["NATS: another stream gone"] = scenario{doctor.StreamMissing, doctor.Warning, func(t *testing.T) []doctor.Finding {
		url, js, _ := declared(t)
		must.Do(t, js.DeleteStream(t.Context(), job.StreamDead))
		return run(t, natsChecks(doctor.NATS{URL: url})...)
	}}
	return all
}

// TestALookLeavesNoRound: what doctor writes to try the buckets is of no round.
func TestALookLeavesNoRound(t *testing.T) {
	t.Parallel()
	url, js, bus := declared(t)
	run(t, natsChecks(doctor.NATS{URL: url})...)
	if left := must.Get(bus.Rounds.Left(t.Context()))(t); len(left) != 0 {
		t.Errorf("rounds %v, want none", left)
	}
	info := must.Get(must.Get(js.Stream(t.Context(), "KV_"+job.BucketRecords))(t).Info(t.Context()))(t)
	if info.State.Msgs != 1 {
		t.Errorf("%d values were written to the records, want the one that tries them", info.State.Msgs)
	}
}
