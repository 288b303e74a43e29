package command

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// hurry is the effect of the second signal.
type hurry struct {
	mu sync.Mutex
	do func()
}

// hurryKey is its key in a command's context.
type hurryKey struct{}

// Hurry sets the effect of the second SIGINT or SIGTERM, which ends the process
// otherwise. do should complete the stop that the first signal began at once. It must not
// block. A third signal ends the process. A call after the first signal has no effect.
func Hurry(ctx context.Context, do func()) {
	if h, ok := ctx.Value(hurryKey{}).(*hurry); ok {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.do = do
	}
}

// withSignals returns a context that the first signal cancels, and a function that ends
// the handling of signals and waits for its goroutine.
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

// watch acts on the first two signals. The next one ends the process, as without a
// handler. The channel has room for two, so none is lost while watch is busy.
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
		signal.Stop(signals) // before cancel: once the context has ended, the next signal must end the process
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
