package main_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit/redistest"
)

// filesRoute is the route under which the mirror counts requests for files.
const filesRoute = "/api/v1/pulls/{owner}/{repo}/{number}/files"

func fileRequests(sim *mirrorsim.Server) int {
	n := 0
	for route, r := range sim.Stats().ByRoute {
		if strings.HasSuffix(route, filesRoute) {
			n += r.Requests
		}
	}
	return n
}

// openWorld serves a world of miners without failures and without a limit.
func openWorld(t *testing.T, from, to int) (*mirrorsim.World, *mirrorsim.Server) {
	t.Helper()
	world := demo(t)
	world.Fails, world.Miners = nil, world.Miners[from:to]
	server := must.Get(mirrorsim.Start(t.Context(), mirrorsim.Config{World: world}))(t)
	t.Cleanup(func() { _ = server.Close() })
	return world, server
}

// Between two turns of a fleet with a warm-up, half of the miners come, with all their
// pull requests. The warm-up fetches these before the second turn. The round then fetches
// only files that cannot be kept yet. Its outcome is that of a round without a warm-up
// and without a cache. Between the rounds only the cache and the warm-up's own values
// change. The worker counts its work.
func TestAWarmUpSparesTheRoundItsFiles(t *testing.T) {
	t.Parallel()
	world, sim := openWorld(t, 0, 8)
	redis := redistest.Start(t)
	address, bus := leased(t, 5*time.Second)
	i := install(t, world)
	some := tokensOf(t, i.all, world.Miners[0].UID, world.Miners[1].UID)
	write(t, i.tokens, some)
	common := []string{"--nats", address, "--redis", redis.URL(), "--mirror", sim.URL, "--limit-horizon", "1s", "--limit-requests", "2000"}
	s := serve(t, nil, append(append(i.flags(), common...), "--every", "1h", "--warm-up", "1h", "--warm-up-share", "1", "--listen", "127.0.0.1:0")...)
	hand := steers{nats: address, bus: bus}
	until(t, "the first round has begun", func() bool { return hand.rounds(t) == 1 })
	hand.order(t, true, "pause") // so that its warm-up does not follow at once
	worker := work(t, "server", nil, append(common, "--listen", "127.0.0.1:0")...)
	concluded(t, bus, 1)
	write(t, i.tokens, i.all)
	begun := fileRequests(sim)
	hand.order(t, true, "resume")
	var before map[string]string
	until(t, "the schedule has its next turn", func() bool {
		before = held(t, address)
		return before["KV_ROUNDS $KV.ROUNDS.schedule.next"] != ""
	})
	last := warmUpEnded(t, bus, "")
	if last.Why != job.WarmUpDone || last.Left != 0 || last.Miners != 9 {
		t.Errorf("the warm-up ended as %+v, want all of nine miners done", last)
	}
	if diff := cmp.Diff(before, held(t, address)); diff != "" {
		t.Errorf("a warm-up changed more than the cache (-before +after):\n%s", diff)
	}
	warm := fileRequests(sim)
	for _, want := range []string{
		`mirrorfleet_warm_up_miners_total{warm_up_outcome="done"} 9`,
		fmt.Sprintf("mirrorfleet_warm_up_pull_requests_total %d", warm-begun),
	} {
		until(t, "the worker's metrics have "+want, func() bool { // it counts a miner once its message is settled
			_, metrics := page(t, worker.pages, "/metrics", "")
			return strings.Contains(metrics, want)
		})
	}
	hand.order(t, true, "now")
	second := concluded(t, bus, 2)
	round := fileRequests(sim)
	t.Logf("files: %d for the first round, %d by the warm-up, %d by the second round", begun, warm-begun, round-warm)
	if warm-begun < 10 || round-warm > second.Unsettled {
		t.Errorf("the warm-up made %d requests for files, the round %d, want many, and no more than the %d that cannot be kept yet",
			warm-begun, round-warm, second.Unsettled)
	}
	m := must.Get(bus.Rounds.Manifest(t.Context(), second.Round))(t)
	list := printed[struct {
		WarmUp *struct{ Why string } `json:"warm_up"`
	}](t, "RoundList", 0, "rounds", "--nats", address, "--json")
	if list.WarmUp == nil {
		t.Error("producer rounds shows no warm-up")
	}
	s.stop(t)
	worker.stop()
	noToken(t, "the log", s.log.String())

	cold := filepath.Join(t.TempDir(), "miners.json")
	write(t, cold, string(must.Get(json.Marshal(m.Miners))(t)))
	elsewhere, other := leased(t, 5*time.Second)
	common = []string{"--nats", elsewhere, "--redis", redistest.Start(t).URL(), "--mirror", sim.URL, "--limit-horizon", "1s", "--limit-requests", "2000"}
	again := work(t, "another", nil, common...)
	run(t, "producer", append([]string{
		"run", "--json", "--miners", cold, "--registry", i.registry, "--as-of", m.AsOf.Format(time.RFC3339Nano),
	}, common...)...)
	plain := concluded(t, other, 1)
	again.stop()
	if diff := cmp.Diff(plain.Outcome.Rewards, second.Outcome.Rewards); diff != "" {
		t.Errorf("rewards (-without +with a warm-up):\n%s", diff)
	}
}

// TestAKilledWarmUpCostsNothing: in the middle of a warm-up, its producer and its worker
// are killed, and Redis loses its state. The next round ends the warm-up, and its jobs
// succeed at the first attempt. Its outcome is that of a round on servers that never had
// a warm-up.
func TestAKilledWarmUpCostsNothing(t *testing.T) {
	t.Parallel()
	w := warmingUp(t, "100")
	warm := begin(t, "producer", append([]string{"warm"}, w.inputs...)...)
	killed := begin(t, "worker", append([]string{"--name", "killed", "--nats", w.nats, "--mirror", w.mirror.URL()}, w.common...)...)
	until(t, "the warm-up fetches files", func() bool { return fileRequests(w.sim) > 3 })
	for _, p := range []*running{warm, killed} {
		must.Do(t, p.Process.Kill())
		p.end(t)
	}
	if last := must.Get(w.bus.WarmUps.Last(t.Context()))(t); !last.Live(time.Now()) {
		t.Fatalf("the warm-up has ended by itself: %+v", last)
	}
	w.redis.Kill()
	w.redis.Restart(t)
	worker := w.work(t, "server")
	got := w.round(t)
	worker.stop()
	if last := must.Get(w.bus.WarmUps.Last(t.Context()))(t); last.Why != job.WarmUpRound {
		t.Errorf("the warm-up ended because %q, want that the round ended it", last.Why)
	}
	sameOutcome(t, "after a warm-up that was killed", w.without(t), got)
}

// tokensOf is a file with the tokens of some miners.
func tokensOf(t *testing.T, file string, uids ...int) string {
	t.Helper()
	var list []map[string]any
	must.Do(t, json.Unmarshal([]byte(file), &list))
	list = slices.DeleteFunc(list, func(entry map[string]any) bool {
		uid, _ := entry["uid"].(float64)
		return !slices.Contains(uids, int(uid))
	})
	return string(must.Get(json.Marshal(list))(t))
}

// warmUpEnded waits for the end of the warm-up that follows another one; "" for none.
func warmUpEnded(t *testing.T, bus *jobstream.Bus, after string) (last job.WarmUp) {
	t.Helper()
	until(t, "a warm-up has ended", func() bool {
		last = must.Get(bus.WarmUps.Last(t.Context()))(t)
		return last.ID != after && !last.Ended.IsZero()
	})
	return last
}

// held is what the streams hold, but for the cache, what is a warm-up's own, and signs of
// life.
func held(t *testing.T, address string) map[string]string {
	t.Helper()
	nc := must.Get(nats.Connect(address))(t)
	defer nc.Close()
	js := must.Get(jetstream.New(nc))(t)
	found := map[string]string{}
	for _, name := range jobstream.StreamNames() {
		if name == job.StreamWarm || name == "KV_"+job.BucketScores || name == "KV_"+job.BucketWorkers {
			continue
		}
		stream := must.Get(js.Stream(t.Context(), name))(t)
		info := must.Get(stream.Info(t.Context(), jetstream.WithSubjectFilter(">")))(t)
		for subject := range maps.Keys(info.State.Subjects) {
			key := subject[strings.LastIndex(subject, "$KV.")+1:]
			if strings.Contains(key, job.WarmUpKey) || strings.Contains(key, job.WarmUpInputsKey) || strings.HasSuffix(key, ".holder") ||
				strings.HasSuffix(key, job.ProbeKey) {
				continue
			}
			found[name+" "+subject] = string(must.Get(stream.GetLastMsgForSubject(t.Context(), subject))(t).Data)
		}
	}
	return found
}
