package view

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"mirrorfleet/shared/doing"
	"mirrorfleet/shared/jobstream"
)

// Standing is how a worker process stands.
type Standing string

// The standings of a worker, in the order in which they are listed.
const (
	Working Standing = "working" // it has a job
	Idle    Standing = "idle"
	Silent  Standing = "silent" // it has shown nothing for longer than a live process would
	Left    Standing = "left"   // it has said its last word
)

// Workers are the worker processes of the last day.
type Workers struct {
	Workers []Worker `json:"workers"`
	// Unreadable are the keys of signs of life that cannot be read.
	Unreadable []string `json:"unreadable,omitempty"`
}

// Worker is one worker process by its last sign of life. All instants are by the clock of
// NATS.
type Worker struct {
	Process  string   `json:"process"` // another one after each start
	Name     string   `json:"name"`
	Standing Standing `json:"standing"`
	Version  string   `json:"version"`
	Host     string   `json:"host"`
	Egress   string   `json:"egress"`
	// Addresses are the public addresses that it sends from, if it asks for them
	// (--whoami-url).
	Addresses []string `json:"addresses,omitempty"`
	Slots     int      `json:"slots"`
	// Started is when it began to take jobs, Seen when its last sign of life came, and
	// SeenAgo how many seconds ago that was.
	Started time.Time   `json:"started"`
	Seen    time.Time   `json:"seen"`
	SeenAgo float64     `json:"seen_ago"`
	Jobs    []WorkerJob `json:"jobs"`
	// Requests are those of the last Seconds before its last sign, a minute in a process
	// that is older; Share is the part of its egress's limit that they took.
	Requests int64   `json:"requests"`
	Seconds  float64 `json:"requests_of"`
	Share    float64 `json:"share_of_limit"`
	// LastWord is why it has left; "" for a process that has not.
	LastWord string `json:"last_word,omitempty"`
}

// WorkerJob is a job that a worker has, or a miner of a warm-up.
type WorkerJob struct {
	Round    string    `json:"round"`
	UID      int       `json:"uid"`
	WarmUp   bool      `json:"warm_up,omitempty"`
	Since    time.Time `json:"since"`
	Requests int       `json:"requests"`
	Doing    string    `json:"doing"`
}

// ReadWorkers reads the worker processes of the last day.
func ReadWorkers(ctx context.Context, bus *jobstream.Bus) (Workers, error) {
	roll, err := bus.Presence.List(ctx)
	if err != nil {
		return Workers{}, fmt.Errorf("reading the workers' signs of life: %w", err)
	}
	return WorkersOf(roll), nil
}

// WorkersOf lists processes: those that work, then idle ones, then those that were lost, and
// those that left, each by name.
func WorkersOf(roll jobstream.Roll) Workers {
	all := Workers{Workers: make([]Worker, 0, len(roll.Workers)), Unreadable: roll.Unreadable}
	for i := range roll.Workers {
		all.Workers = append(all.Workers, workerOf(&roll.Workers[i], roll.Now))
	}
	order := []Standing{Working, Idle, Silent, Left}
	slices.SortStableFunc(all.Workers, func(a, b Worker) int {
		return cmp.Or(
			slices.Index(order, a.Standing)-slices.Index(order, b.Standing),
			cmp.Compare(a.Name, b.Name),
			b.Seen.Compare(a.Seen),
		)
	})
	return all
}

func workerOf(p *jobstream.Present, now time.Time) Worker {
	silence, silent := p.Silence(p.Stored, now)
	w := Worker{
		Process:  p.Process,
		Name:     p.Name,
		Standing: Idle,
		Version:  p.Build,
		Host:     p.Host,
		Egress:   p.Egress,
		Slots:    p.Slots,
		Started:  p.Stored.Add(-p.Ago(p.Started)).UTC(),
		Seen:     p.Stored.UTC(),
		SeenAgo:  silence.Seconds(),
		Jobs:     make([]WorkerJob, 0, len(p.Jobs)),
		Requests: p.Permits,
		Seconds:  p.Of.Seconds(),
		Share:    p.Share,
		LastWord: p.Left,
	}
	for _, a := range p.Addresses {
		w.Addresses = append(w.Addresses, a.String())
	}
	for _, j := range p.Jobs {
		w.Jobs = append(w.Jobs, WorkerJob{
			Round:    j.Round,
			UID:      j.UID,
			WarmUp:   j.WarmUp,
			Since:    p.Stored.Add(-p.Ago(j.Since)).UTC(),
			Requests: j.Requests,
			Doing:    Doing(j.Doing, p.Stored),
		})
	}
	switch {
	case p.Left != "":
		w.Standing = Left
	case silent:
		w.Standing = Silent
	case len(w.Jobs) > 0:
		w.Standing = Working
	}
	return w
}

// Doing says what a job does or waits for, as it was told at an instant; "" if nothing was
// told.
func Doing(s doing.State, told time.Time) string {
	of := s.What
	if of != "" {
		of = ", for " + of
	}
	switch s.Waits {
	case "":
		return s.What
	case doing.Permit:
		return fmt.Sprintf("permit, %s in line%s", ordinal(s.Place), of)
	case doing.Redis:
		return "Redis" + of + because(s.Why)
	case doing.Other:
		return "another job, which fetches the " + s.What
	case doing.Memory:
		return "memory" + of + ": the worker holds as many files as it may"
	case doing.Connection:
		return "a free connection" + of
	case doing.Breaker:
		return "breaker until " + told.Add(s.For).UTC().Format("15:04:05") + of + because(s.Why)
	case doing.Retry:
		return fmt.Sprintf("retry in %s after: %s%s", s.For.Round(time.Second), s.What, because(s.Why))
	}
	return s.Waits + of // of a later version
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

// ordinal is a place in a line: 1st, 2nd, 3rd.
func ordinal(n int) string {
	suffix := "th"
	if tens := n / 10 % 10; tens != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprintf("%d%s", n, suffix)
}

// Versions are the versions of the processes that run, with how many have each.
func (w Workers) Versions() map[string]int {
	versions := map[string]int{}
	for i := range w.Workers {
		if one := &w.Workers[i]; one.Standing == Working || one.Standing == Idle {
			versions[one.Version]++
		}
	}
	return versions
}

// Count says how many processes stand so.
func (w Workers) Count(s Standing) (n int) {
	for i := range w.Workers {
		if w.Workers[i].Standing == s {
			n++
		}
	}
	return n
}
