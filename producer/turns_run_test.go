package main_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit/redistest"
)

// A fleet with warm-ups runs several turns, and pull requests and issues are added
// between them. Each outcome equals, byte for byte, that of a round without a warm-up
// over the same mirror.
func TestTurnsOfAChangingWorld(t *testing.T) {
	t.Parallel()
	last, sim := openWorld(t, 0, 8)
	worlds := []*mirrorsim.World{last.Before(last.AsOf.AddDate(0, 0, -20)), last.Before(last.AsOf.AddDate(0, 0, -8)), last}
	if worlds[0].Size() == worlds[1].Size() || worlds[1].Size() == last.Size() {
		t.Fatalf("the worlds have %d, %d and %d pull requests, want more from turn to turn", worlds[0].Size(), worlds[1].Size(), last.Size())
	}
	sim.Change(worlds[0])
	address, bus := leased(t, 5*time.Second)
	i := install(t, last)
	common := []string{"--nats", address, "--redis", redistest.Start(t).URL(), "--mirror", sim.URL, "--limit-horizon", "1s", "--limit-requests", "2000"}
	worker := work(t, "server", nil, common...)
	s := serve(t, nil, append(append(i.flags(), common...), "--every", "1h", "--warm-up", "1h", "--warm-up-share", "1")...)
	hand := steers{nats: address, bus: bus}
	var rounds []outcome.Result
	var manifests []job.Manifest
	warm := job.WarmUp{}
	for turn, world := range worlds {
		if turn > 0 { // it changes after a round, and before the warm-up if the pause came in time
			sim.Change(world)
			hand.order(t, true, "resume")
			warm = warmUpEnded(t, bus, warm.ID)
			hand.order(t, true, "now")
		}
		until(t, "the round has begun", func() bool { return hand.rounds(t) == turn+1 })
		hand.order(t, true, "pause")
		got := concluded(t, bus, turn+1)
		t.Logf("turn %d: %d requests, %d pull requests from the cache, %d not settled", turn, got.Requests, got.Cached, got.Unsettled)
		rounds, manifests = append(rounds, got), append(manifests, must.Get(bus.Rounds.Manifest(t.Context(), got.Round))(t))
	}
	if rounds[2].Cached == 0 || rounds[2].Cached <= rounds[1].Cached {
		t.Errorf("%d and then %d pull requests were in the cache, want more from turn to turn", rounds[1].Cached, rounds[2].Cached)
	}
	s.stop(t)
	worker.stop()

	elsewhere, other := leased(t, 5*time.Second)
	common = []string{"--nats", elsewhere, "--redis", redistest.Start(t).URL(), "--mirror", sim.URL, "--limit-horizon", "1s", "--limit-requests", "2000"}
	again := work(t, "another", nil, common...)
	defer again.stop()
	for turn, world := range worlds {
		sim.Change(world)
		miners := filepath.Join(t.TempDir(), "miners.json")
		write(t, miners, string(must.Get(json.Marshal(manifests[turn].Miners))(t)))
		run(t, "producer", append([]string{
			"run", "--json", "--miners", miners, "--registry", i.registry, "--as-of", manifests[turn].AsOf.Format(time.RFC3339Nano),
		}, common...)...)
		plain := concluded(t, other, turn+1)
		sameOutcome(t, fmt.Sprintf("turn %d", turn), plain, rounds[turn])
	}
}
