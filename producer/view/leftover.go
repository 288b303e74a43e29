package view

import (
	"context"
	"errors"
	"strings"
	"time"

	"mirrorfleet/shared/jobstream"
)

// Stands is the state of a round after a signal has interrupted the work on it.
type Stands string

// The states of an interrupted round.
const (
	LeftUnasked   Stands = "unasked"   // NATS did not say
	LeftAbsent    Stands = "absent"    // nothing is stored under its name
	LeftDamaged   Stands = "damaged"   // what is stored of it cannot be read
	LeftElsewhere Stands = "elsewhere" // another producer holds it
	LeftStored    Stands = "left"      // stored, without outcome, and nobody holds it
	LeftConcluded Stands = "concluded" // it has an outcome, and nothing to be resumed
	LeftReplaying Stands = "replaying" // a replay of it was begun, and nobody holds it
)

// Leftover is a round that a signal has interrupted.
type Leftover struct {
	Round  string
	Stands Stands
	// Was says that the round is known to have been stored.
	Was bool
	// Producer holds it elsewhere, and was last heard of at Heard.
	Producer string
	Heard    time.Time
	// Revision is its last outcome's.
	Revision int
}

// askTime bounds how long a user who has pressed Ctrl-C waits to hear how the round stands.
const askTime = 3 * time.Second

// LeftoverOf asks NATS for the state of an interrupted round. me is this producer's name:
// its own hold counts as none, because NATS may not have confirmed the release. So does the
// hold of a producer that has been silent for longer than the hold lasts. was says that the
// round was known to be stored.
func LeftoverOf(ctx context.Context, bus *jobstream.Bus, name, me string, was bool, now time.Time) Leftover {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
	defer cancel()
	l := Leftover{Round: name, Stands: LeftUnasked, Was: was}
	if bus == nil {
		return l
	}
	found, err := l.asked(ctx, bus, me, now)
	switch {
	case jobstream.Damaged(err):
		l.Stands = LeftDamaged
	case err == nil:
		l = found
	}
	return l
}

func (l Leftover) asked(ctx context.Context, bus *jobstream.Bus, me string, now time.Time) (Leftover, error) {
	revisions, err := bus.Outcomes.Revisions(ctx, l.Round)
	if err != nil {
		return l, err
	}
	l.Stands = LeftStored
	if len(revisions) > 0 {
		l.Stands, l.Revision = LeftConcluded, revisions[len(revisions)-1]
		if _, err = bus.Rounds.Replay(ctx, l.Round, l.Revision); err == nil {
			l.Stands = LeftReplaying
		}
	} else {
		_, err = bus.Rounds.Manifest(ctx, l.Round)
	}
	if errors.Is(err, jobstream.ErrNotFound) {
		if l.Revision == 0 {
			l.Stands = LeftAbsent
		}
		err = nil
	}
	if err != nil || l.Stands != LeftStored && l.Stands != LeftReplaying {
		return l, err
	}
	holder, heard, err := bus.Holders.LastBeat(ctx, l.Round)
	producer, _, _ := strings.Cut(holder.Name, "/")
	if err == nil && !heard.IsZero() && !holder.Released && producer != me && now.Sub(heard) <= holder.For {
		l.Stands = LeftElsewhere
		l.Producer = producer
		l.Heard = heard
	}
	return l, err
}
