package view

import (
	"cmp"
	"context"
	"errors"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/ratelimit"
)

// limit is the buckets of all egresses together, as their workers last saw them: the rates add
// up, and a pause is shown when every egress has one. The error is why Redis grants nothing, if
// no worker sees it grant anything.
func (f *Follow) limit(context.Context) (ratelimit.State, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	last, pace, told := f.egresses()
	s := ratelimit.State{Known: len(last) > 0, CoolDown: time.Duration(1<<63 - 1), Hold: time.Duration(1<<63 - 1)}
	trouble, flows := "", false
	for _, w := range last {
		l, age := w.Limit, f.roll.Now.Sub(w.Stored)
		s.Granted += l.Granted
		s.Rate += l.Rate
		s.Limit += l.Limit
		s.Window = max(s.Window, l.Window)
		s.CoolDown = min(s.CoolDown, max(0, l.CoolDown-age))
		s.Hold = min(s.Hold, max(0, l.Hold-age))
		trouble = cmp.Or(l.Trouble, trouble)
		flows = flows || l.Trouble == ""
	}
	if !s.Known {
		return ratelimit.State{}, nil
	}
	s.Granted = f.between(s.Granted, pace, told)
	if trouble != "" && !flows {
		return s, errors.New(trouble) //nolint:err113 // a worker's own words
	}
	return s, nil
}

// egresses are the last sign of each egress, how many permits a second all workers had, and how
// long ago the last of the signs was.
func (f *Follow) egresses() (last map[string]*jobstream.Present, pace float64, told time.Duration) {
	last = map[string]*jobstream.Present{}
	told = job.WorkerSilent
	for i := range f.roll.Workers {
		w := &f.roll.Workers[i]
		if _, silent := w.Silence(w.Stored, f.roll.Now); silent || w.Left != "" || !w.Limit.Known && w.Limit.Trouble == "" {
			continue
		}
		if w.Of > 0 {
			pace += float64(w.Permits) / w.Of.Seconds()
		}
		if former := last[w.Egress]; former == nil || w.Stored.After(former.Stored) {
			last[w.Egress] = w
		}
		told = min(told, max(0, f.roll.Now.Sub(w.Stored)))
	}
	return last, pace, told
}

// between is the count of permits at this moment. Signs bring it every few seconds in leaps; in
// between it goes on at the workers' pace, so that the share of the last seconds is not that
// of a leap. It goes on from the sign, which may be some seconds old when it is read first:
// counted from the look, the first seconds would have more than the limit.
func (f *Follow) between(granted int64, pace float64, told time.Duration) int64 {
	if granted != f.granted {
		if granted < f.granted { // a bucket began anew
			f.shown = 0
		}
		f.granted, f.since = granted, time.Now().Add(-told)
	}
	f.shown = max(f.shown, granted+int64(pace*min(time.Since(f.since), job.WorkerSignEvery).Seconds()))
	return f.shown
}
