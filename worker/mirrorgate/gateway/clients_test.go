package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/ratelimit/redistest"
)

// clients is how many there are at once, each with a session of its own.
const clients = 64

// question is one request to a mirror.
type question struct{ method, path, body string }

// questions are what a validator asks for the miners of a world, as a mirror of it lists
// their pull requests.
func questions(t *testing.T, mirror *mirrorsim.Server, w *mirrorsim.World) (all []question) {
	t.Helper()
	for i, m := range w.Miners {
		if m.GitHubID == "" {
			continue
		}
		path := "/api/v1/miners/" + m.GitHubID
		windows := fmt.Sprintf(`{"since_by_repo":{"acme/rocket":%q}}`, w.AsOf.AddDate(0, 0, -40-i).Format(time.RFC3339))
		all = append(all, question{http.MethodPost, path + "/pulls", windows}, question{http.MethodPost, path + "/issues", windows},
			question{http.MethodGet, path + "/issues", ""}, question{http.MethodGet, path + "/pulls?since=2020-01-01T00:00:00Z", ""})
		var list struct {
			Pulls []struct {
				Repo   string `json:"repo_full_name"`
				Number int    `json:"pr_number"`
			} `json:"pull_requests"`
		}
		must.Do(t, json.Unmarshal([]byte(ask(t.Context(), visitor(t), http.MethodGet, mirror.URL+all[len(all)-1].path, "").body), &list))
		for _, pull := range list.Pulls {
			all = append(all, question{http.MethodGet, fmt.Sprintf("/api/v1/pulls/%s/%d/files", pull.Repo, pull.Number), ""})
		}
	}
	if len(all) < 2*clients {
		t.Fatalf("the world has %d questions, want some for each of %d clients", len(all), clients)
	}
	return all
}

// simulate serves the demo world, in which nothing fails.
func simulate(t *testing.T, cfg mirrorsim.Config) *mirrorsim.Server {
	t.Helper()
	cfg.World = must.Get(mirrorsim.Demo())(t)
	clear(cfg.World.Fails)
	sim := must.Get(mirrorsim.Start(t.Context(), cfg))(t)
	t.Cleanup(func() { must.Check(t, sim.Close()) })
	return sim
}

// limiterOf is a process's limiter: so many requests in a second.
func limiterOf(t *testing.T, rdb redis.UniversalClient, limit int) *ratelimit.Limiter {
	t.Helper()
	limiter := must.Get(ratelimit.New(ratelimit.Config{
		Egress: "clients", Limit: limit, Window: time.Second, Horizon: time.Second, BackgroundReservations: 3, Log: slog.New(slog.DiscardHandler),
	}, rdb))(t)
	t.Cleanup(func() { must.Check(t, limiter.Close()) })
	return limiter
}

// Sixty-four clients that know nothing of each other, nor of any limit, with a session
// each as a validator has for each miner: the mirror sees nothing over its limit and no
// more connections than the pool has, and each has the answers that the mirror gives.
func TestClientsOfTheirOwnSessions(t *testing.T) {
	t.Parallel()
	const limit, pool = 200, 8
	direct := simulate(t, mirrorsim.Config{Seed: 1})
	sim := simulate(t, mirrorsim.Config{Limit: limit, Window: time.Second, Mitigation: time.Second, Seed: 1})
	rdb := must.Get(ratelimit.NewSecureClient(redistest.Start(t).URL(), time.Second/5, ratelimit.Files{}))(t)
	t.Cleanup(func() { must.Check(t, rdb.Close()) })
	b := &bundle{}
	b.open(t, sim.URL, must.Get(limiterOf(t, rdb, limit).Background(1))(t), func(s *settings) { s.client.PoolSize = pool })

	all := questions(t, direct, must.Get(mirrorsim.Demo())(t))
	var wait sync.WaitGroup
	for i := range clients {
		client, other := visitor(t), visitor(t)
		wait.Go(func() {
			for j := i; j < len(all); j += clients {
				q := all[j]
				got, want := ask(t.Context(), client, q.method, b.url+q.path, q.body), ask(t.Context(), other, q.method, direct.URL+q.path, q.body)
				if got.err != nil || got.status != want.status || got.body != want.body {
					t.Errorf("%v: got %d %.100q (%v), want %d %.100q", q, got.status, got.body, got.err, want.status, want.body)
				}
			}
		})
	}
	wait.Wait()
	if seen := sim.Stats(); seen.OverLimit != 0 || seen.Requests != len(all) || seen.Connections.MaxOpen > pool || seen.Connections.Used > pool {
		t.Errorf("the mirror saw %+v, want %d requests, none over its limit, over at most %d connections", seen, len(all), pool)
	}
	if got := b.client.Stats(); got.Permits != int64(len(all)) || got.Sent != int64(len(all)) {
		t.Errorf("counts are %+v, want a permit for each of %d requests", got, len(all))
	}
}

// Beside a round that wants all of the limit the gateway's clients have their part, in
// their time, and both together stay below.
func TestClientsBesideARound(t *testing.T) {
	t.Parallel()
	const (
		limit  = 200
		others = 4
		each   = 5
	)
	sim := simulate(t, mirrorsim.Config{Limit: limit, Window: time.Second, Mitigation: time.Second, Seed: 1})
	rdb := must.Get(ratelimit.NewSecureClient(redistest.Start(t).URL(), time.Second/5, ratelimit.Files{}))(t)
	t.Cleanup(func() { must.Check(t, rdb.Close()) })
	b := &bundle{}
	b.open(t, sim.URL, must.Get(limiterOf(t, rdb, limit).Background(1))(t))

	ctx, end := context.WithCancel(t.Context())
	var round, clients sync.WaitGroup
	for range 4 { // processes of a round
		worker := must.Get(mirror.New(mirror.Config{BaseURL: sim.URL, Meter: limiterOf(t, rdb, limit), Log: slog.New(slog.DiscardHandler)}))(t)
		t.Cleanup(worker.Close)
		for range 4 {
			round.Go(func() {
				for ctx.Err() == nil {
					if err := worker.Health(ctx); err != nil && ctx.Err() == nil {
						t.Error(err)
					}
				}
			})
		}
	}
	for range others {
		client := visitor(t)
		clients.Go(func() {
			for range each {
				if got := ask(t.Context(), client, http.MethodGet, b.url+health, ""); got.status != http.StatusOK {
					t.Errorf("beside a round: got %d %q (%v), want 200", got.status, got.body, got.err)
				}
			}
		})
	}
	clients.Wait()
	seen := sim.Stats()
	end()
	round.Wait()
	if own := int(b.client.Stats().Sent); seen.OverLimit != 0 || own != others*each || seen.Requests < 3*own {
		t.Errorf("the mirror saw %d requests, %d of them the clients', %d over its limit; want most of them the round's, and none over",
			seen.Requests, own, seen.OverLimit)
	}
}
