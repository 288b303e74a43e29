package command

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// hurry is what a command does on the second signal.
type hurry struct {
	mu sync.Mutex
	do func()
}

// hurryKey finds it in a command's context.
type hurryKey struct{}

// Hurry says what the second SIGINT or SIGTERM does, instead of ending the
// process: it should make the end that the first one asked for come at once.
// A third one ends the process. It is said before the first signal, or counts
// for nothing; do must not block.
func Hurry(ctx context.Context, do func()) {
	if h, ok := ctx.Value(hurryKey{}).(*hurry); ok {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.do = do
	}
}

// withSignals returns a context that the first signal cancels, and what ends
// the handling of signals.
func withSignals(parent context.Context) (context.Context, func()) {
	h := &hurry{}
	ctx, cancel := context.WithCancel(context.WithValue(parent, hurryKey{}, h))
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	quit := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { h.watch(signals, quit, cancel) })
	return ctx, func() {
		signal.Stop(signals)
		close(quit)
		watching.Wait()
		cancel()
	}
}

// watch acts on the first signal and on the second one; what comes after
// these ends the process, as without a handler.
func (h *hurry) watch(signals chan os.Signal, quit <-chan struct{}, cancel func()) {
	select {
	case <-signals:
	case <-quit:
		return
	}
	h.mu.Lock()
	do := h.do
	h.mu.Unlock()
	if do == nil {
		signal.Stop(signals) // before the context ends: who sees that end may count on it
	}
	cancel()
	if do == nil {
		return
	}
	select {
	case <-signals:
		signal.Stop(signals) // the next one ends the process, even while do runs
		do()
	case <-quit:
	}
}
