package dashboard

import (
	"context"
	"slices"
	"sync"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/jobstream"
)

// outcomes keeps the last outcomes that were read: an outcome never changes, and a person
// goes through several pages of one. Reading that of 256 miners takes a tenth of a second.
type outcomes struct {
	turns turns[view.OutcomeRef]

	mu   sync.Mutex
	last []kept // the one that was used last is the last
}

type kept struct {
	at     view.OutcomeRef
	result outcome.Result
}

// maxKept bounds the memory: an outcome of 256 miners takes some ten megabytes.
const maxKept = 3

// read returns an outcome. Nobody may change it. Two viewers of one outcome read it once.
func (o *outcomes) read(ctx context.Context, bus *jobstream.Bus, at view.OutcomeRef) (outcome.Result, error) {
	done, err := o.turns.take(ctx, at)
	if err != nil {
		return outcome.Result{}, err
	}
	defer done()
	if found, kept := o.get(at); kept {
		return found, nil
	}
	result, err := view.Read(ctx, bus, at)
	if err == nil {
		o.keep(kept{at, result})
	}
	return result, err
}

func (o *outcomes) get(at view.OutcomeRef) (outcome.Result, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.IndexFunc(o.last, func(k kept) bool { return k.at == at })
	if i < 0 {
		return outcome.Result{}, false
	}
	found := o.last[i]
	o.last = append(slices.Delete(o.last, i, i+1), found)
	return found.result, true
}

// keep keeps an outcome, and drops the one that was used longest ago.
func (o *outcomes) keep(one kept) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.last) == maxKept {
		o.last = slices.Delete(o.last, 0, 1)
	}
	o.last = append(o.last, one)
}

// forget drops the outcomes of a round.
func (o *outcomes) forget(round string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = slices.DeleteFunc(o.last, func(k kept) bool { return k.at.Round == round })
}
