package gateway_test

import (
	"context"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mirrorfleet/shared/must"
)

// BenchmarkGateway compares a request through the gateway with one of the same client,
// over the same pool, without it; both with permits at once. The difference of the
// medians is what the gateway costs.
func BenchmarkGateway(b *testing.B) {
	g := setup(b, say(http.StatusOK, `{"status":"ok","pad":"`+strings.Repeat("x", 4000)+`"}`))
	client := visitor(b)
	through := func(ctx context.Context) error { return ask(ctx, client, http.MethodGet, g.url+health, "").err }
	direct := func(ctx context.Context) error {
		_, err := g.client.Probe(ctx)
		return err
	}
	var took [2][]time.Duration
	for b.Loop() {
		for i, one := range []func(context.Context) error{direct, through} {
			began := time.Now()
			if err := one(b.Context()); err != nil {
				b.Fatal(err)
			}
			took[i] = append(took[i], time.Since(began))
		}
	}
	median := func(all []time.Duration) float64 {
		slices.Sort(all)
		return float64(all[len(all)/2].Microseconds())
	}
	b.ReportMetric(median(took[0]), "direct-µs")
	b.ReportMetric(median(took[1]), "gateway-µs")
	b.ReportMetric(median(took[1])-median(took[0]), "cost-µs")
	b.ReportMetric(0, "ns/op") // of both together: it says nothing
}

// BenchmarkWaiting tells what a client that waits takes of memory: heap and stacks of the
// whole process, the client's own side included, for a POST with 200 windows.
func BenchmarkWaiting(b *testing.B) {
	const waiting = 500
	windows := `{"since_by_repo":{` + strings.Repeat(`"a/b":"2026-01-01T00:00:00+00:00",`, 199) + `"a/b":"2026-01-01T00:00:00+00:00"}}`
	for b.Loop() {
		g := setup(b, say(http.StatusOK, `{}`), func(s *settings) { s.gateway.Waiting = waiting })
		g.meter.held.Store(true)
		ctx, cancel := context.WithCancel(b.Context())
		before := inUse()
		var wait sync.WaitGroup
		for range waiting {
			client := visitor(b)
			wait.Go(func() { ask(ctx, client, http.MethodPost, g.url+pulls, windows) })
		}
		// The next one is turned away when all of them wait.
		must.Until(b.Context(), b, "all to wait", func() bool {
			once, end := context.WithTimeout(ctx, 100*time.Millisecond)
			defer end()
			return ask(once, visitor(b), http.MethodGet, g.url+health, "").status == http.StatusServiceUnavailable
		})
		b.ReportMetric(float64(inUse()-before)/waiting/1000, "kB/client")
		cancel()
		wait.Wait()
		must.Do(b, g.server.Close())
	}
	b.ReportMetric(0, "ns/op")
}

// inUse is what the process holds in heap and stacks.
func inUse() int64 {
	runtime.GC()
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	return int64(now.HeapAlloc + now.StackInuse)
}
