package fleet

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/pause"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/whoami"
)

// addresses is what a process knows about the public addresses that it sends from.
type addresses struct {
	known atomic.Pointer[[]netip.Addr]
	// unread says that the log has that addresses of others cannot be read.
	unread atomic.Bool

	// stop ends the asking, and waits for it; nil without --whoami-url.
	stop func()

	// The rest belongs to the one goroutine that asks.
	said  string // the last answer or failure that the log has
	odd   string // the last contradiction that the log has
	lost  bool   // Redis did not take the last answer
	blind bool   // the buckets could not be compared
}

// askWhoAmI asks for the addresses of this process at once and then every few minutes, in a
// goroutine of its own. Nothing waits for the answer.
func (f *Fleet) askWhoAmI(ctx context.Context, cfg Config, asker *whoami.Asker) {
	if asker == nil {
		return
	}
	ctx, end := context.WithCancel(context.WithoutCancel(ctx))
	var asking sync.WaitGroup
	asking.Go(func() {
		for ctx.Err() == nil {
			f.ask(ctx, cfg, asker)
			_ = pause.For(ctx, ratelimit.TellEvery)
		}
	})
	f.addresses.stop = func() {
		end()
		asking.Wait()
		// A process that has ended sends from nowhere. If this fails, Redis forgets the process by
		// itself.
		if f.Addresses() != nil {
			_ = f.Limiter.Tell(context.WithoutCancel(ctx), cfg.Process, nil)
		}
	}
}

// newAsker checks the URL of a service; "" asks none.
func newAsker(url string, source netip.Addr) (*whoami.Asker, error) {
	if url == "" {
		return nil, nil //nolint:nilnil // there is nobody to ask
	}
	asker, err := whoami.New(url, source)
	if err != nil {
		return nil, command.Usage("--whoami-url: %w", err)
	}
	return asker, nil
}

// Addresses are the public addresses that this process was last seen to send from; nil if
// that is not known.
func (f *Fleet) Addresses() []netip.Addr {
	if known := f.addresses.known.Load(); known != nil {
		return *known
	}
	return nil
}

// ask asks once and tells the others. A failure is retried at the next interval. The log has
// each change once.
func (f *Fleet) ask(ctx context.Context, cfg Config, asker *whoami.Asker) {
	found, err := asker.Ask(ctx)
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		text := err.Error()
		if text != f.addresses.said {
			f.log.WarnContext(ctx, "this process cannot tell which address it sends from: --whoami-url gives none", "error", err)
		}
		f.addresses.said = text
	default:
		f.addresses.known.Store(&found)
		text := join(found)
		if text != f.addresses.said {
			f.log.InfoContext(ctx, "this process sends from", "address", text, "egress", cfg.Limit.Egress)
		}
		f.addresses.said = text
		err = f.Limiter.Tell(ctx, cfg.Process, found)
		if err != nil && ctx.Err() == nil && !f.addresses.lost {
			f.log.WarnContext(ctx, "the address of this process is not shown: Redis did not store it", "error", err)
		}
		f.addresses.lost = err != nil
	}
	if f.producer {
		f.compareEgresses(ctx)
	}
}

// compareEgresses warns of egresses whose names and addresses do not fit together. Only a
// producer may list all buckets.
func (f *Fleet) compareEgresses(ctx context.Context) {
	buckets, err := f.Buckets(ctx)
	if err != nil {
		if !f.addresses.blind && ctx.Err() == nil {
			f.log.WarnContext(ctx, "the addresses of the egresses cannot be compared", "error", err)
		}
		f.addresses.blind = true
		return
	}
	f.addresses.blind = false
	odd := ratelimit.Compare(buckets)
	shared := make([]string, 0, len(odd.Shared))
	for _, s := range odd.Shared {
		shared = append(shared, s.String())
	}
	text := strings.Join(slices.Concat(shared, odd.Split), "; ")
	if text != f.addresses.odd {
		if len(shared) > 0 {
			f.log.WarnContext(ctx, "several egresses send from one address, and together may exceed its limit: give its processes one --egress",
				"shared", plural.Some(shared, 5))
		}
		if len(odd.Split) > 0 {
			f.log.WarnContext(ctx, "processes of one egress send from different addresses, which wastes a part of the limit: "+
				"give each address an --egress of its own", "egresses", plural.Some(odd.Split, 5))
		}
		if text == "" {
			f.log.InfoContext(ctx, "each egress sends from one address of its own")
		}
	}
	f.addresses.odd = text
}

// join writes addresses with commas between them.
func join(all []netip.Addr) string {
	texts := make([]string, 0, len(all))
	for _, a := range all {
		texts = append(texts, a.String())
	}
	return strings.Join(texts, ", ")
}
