package gateway_test

import (
	"bytes"
	"context"
	"hash/crc32"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

// large is the size of a files answer beyond any that there is.
const large = 100 << 20

// pattern is a piece of an answer in which a lost or doubled piece shows.
func pattern() []byte {
	piece := make([]byte, 64<<10)
	for i := range piece {
		piece[i] = byte(i*7 + i>>8)
	}
	return piece
}

// Answers of 100 MB come byte for byte, and the gateway never holds more of them than
// their buffers, whether the client reads fast or slowly.
//
//nolint:paralleltest // the heap is the process's
func TestLargeAnswersAreNotHeld(t *testing.T) {
	piece := pattern()
	b := setup(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(large))
		for range large / len(piece) {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	})
	want := crc32.NewIEEE()
	for range large / len(piece) {
		want.Write(piece)
	}
	runtime.GC()
	before := heap()
	ctx, cancel := context.WithCancel(t.Context())
	highest := watchHeap(ctx)
	var wait sync.WaitGroup
	for range 4 {
		client := visitor(t)
		wait.Go(func() {
			response, err := client.Do(must.Get(http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+files, nil))(t))
			if err != nil {
				t.Error(err)
				return
			}
			defer response.Body.Close()
			got := crc32.NewIEEE()
			n, err := io.CopyBuffer(got, response.Body, make([]byte, 8<<10))
			if err != nil || n != large || !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
				t.Errorf("%d bytes came, %v; want the %d that were sent", n, err, large)
			}
		})
	}
	wait.Wait()
	cancel()
	grown := int64(<-highest) - int64(before)
	t.Logf("4 answers of %d MiB at once: the heap of mirror, gateway and clients grew by at most %.1f MiB", large>>20, float64(grown)/(1<<20))
	if grown > 32<<20 {
		t.Errorf("the heap grew by %d bytes, want at most 32 MiB", grown)
	}
}

func heap() uint64 {
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	return now.HeapAlloc
}

// watchHeap tells how high the heap was until ctx ended.
func watchHeap(ctx context.Context) <-chan uint64 {
	highest := make(chan uint64, 1)
	go func() {
		var peak uint64
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			peak = max(peak, heap())
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
		highest <- peak
	}()
	return highest
}

// Clients that read slowly have the whole answer in the end, take a connection each, and
// hold nobody up while there is another one.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	const size = 16 << 20 // more than the buffers of two connections
	piece := pattern()
	b := setup(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == health {
			_, _ = io.WriteString(w, `{}`)
			return
		}
		for range size / len(piece) {
			_, _ = w.Write(piece)
		}
	}, func(s *settings) { s.client.PoolSize, s.gateway.Patience = 3, time.Minute })
	release := make(chan struct{})
	var begun, wait sync.WaitGroup
	var whole atomic.Int64
	for range 2 {
		client := visitor(t)
		begun.Add(1)
		wait.Go(func() {
			request := must.Get(http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+files, nil))(t)
			response, err := client.Do(request)
			if err != nil {
				t.Error(err)
				begun.Done()
				return
			}
			defer response.Body.Close()
			n, _ := io.ReadFull(response.Body, make([]byte, 1000))
			begun.Done()
			<-release
			rest, err := io.Copy(io.Discard, response.Body)
			if err != nil {
				t.Error(err)
			}
			whole.Add(int64(n) + rest)
		})
	}
	begun.Wait()
	for range 20 {
		if got := ask(t.Context(), visitor(t), http.MethodGet, b.url+health, ""); got.status != http.StatusOK {
			t.Errorf("beside slow readers: got %d, %v, want 200", got.status, got.err)
		}
	}
	close(release)
	wait.Wait()
	if whole.Load() != 2*size {
		t.Errorf("%d bytes came, want %d", whole.Load(), 2*size)
	}
}

// Clients that do not read hold the whole pool only until their patience is used up. Those
// that wait meanwhile get their answers, and what the others have is no whole answer.
func TestAClientThatDoesNotReadGivesItsConnectionBack(t *testing.T) {
	t.Parallel()
	const (
		size = 64 << 20 // more than the buffers of two connections
		pool = 2
	)
	piece := pattern()
	var log telemetrytest.Log
	b := setup(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == health {
			_, _ = io.WriteString(w, `{}`)
			return
		}
		for range size / len(piece) {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	}, func(s *settings) {
		s.client.PoolSize, s.gateway.Patience = pool, 2*time.Second
		s.gateway.Log = log.Logger()
	})
	var stalled []*http.Response
	for range pool {
		request := must.Get(http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+files, nil))(t)
		response := must.Get(visitor(t).Do(request))(t) //nolint:bodyclose // closed by the cleanup
		t.Cleanup(func() { _ = response.Body.Close() })
		stalled = append(stalled, response) //nolint:bodyclose // as above
	}
	for range 3 * pool {
		if got := ask(t.Context(), visitor(t), http.MethodGet, b.url+health, ""); got.status != http.StatusOK {
			t.Errorf("behind clients that do not read: got %d, %v, want 200", got.status, got.err)
		}
	}
	must.Until(t.Context(), t, "both are given up", func() bool { return log.Count("a client reads too slowly") == pool })
	for _, response := range stalled {
		if n, err := io.Copy(io.Discard, response.Body); err == nil || n >= size {
			t.Errorf("a client that did not read had %d bytes, %v, want an answer that broke off", n, err)
		}
	}
}

// Only the client uses its patience up. A mirror that pauses for longer, in the middle of an
// answer and before its end, does not break the answer off.
func TestAPauseOfTheMirrorUsesNoPatience(t *testing.T) {
	t.Parallel()
	const patience = 2 * time.Second // a busy machine may take some of it
	b := setup(t, func(w http.ResponseWriter, r *http.Request) {
		for range 2 {
			_, _ = io.WriteString(w, "{}")
			w.(http.Flusher).Flush()
			select {
			case <-time.After(patience + time.Second/2): // the pause itself is tested
			case <-r.Context().Done():
			}
		}
	}, func(s *settings) { s.gateway.Patience = patience })
	if got := ask(t.Context(), visitor(t), http.MethodGet, b.url+files, ""); got.err != nil || got.body != "{}{}" {
		t.Errorf("got %q, %v, want the whole answer", got.body, got.err)
	}
}
