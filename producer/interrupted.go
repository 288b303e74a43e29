package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/jobstream"
)

// stands is how a round stands after a signal has ended the work on it.
type stands string

const (
	unasked   stands = "unasked"   // NATS did not say
	absent    stands = "absent"    // nothing is stored under its name
	damaged   stands = "damaged"   // what is stored of it cannot be read
	elsewhere stands = "elsewhere" // another producer holds it
	left      stands = "left"      // stored, without outcome, and nobody holds it
	concluded stands = "concluded" // it has an outcome, and nothing to be resumed
	replaying stands = "replaying" // a replay of it was begun, and nobody holds it
)

// leftover is a round whose work a signal has ended.
type leftover struct {
	round  string
	stands stands
	// was says that the round is known to have been stored.
	was bool
	// producer holds it elsewhere, and was last heard of at heard.
	producer string
	heard    time.Time
	// revision is its last outcome's.
	revision int
}

// askTime bounds how long a user who has pressed Ctrl-C waits to hear how the round stands.
const askTime = 3 * time.Second

// leftoverOf asks how a round stands after the work on it has ended. me is this
// producer's name. Its own hold counts as none, because NATS may not have confirmed the
// release, and so does one whose producer has been silent for longer than the hold lasts.
// was says that the round was stored before.
func leftoverOf(ctx context.Context, bus *jobstream.Bus, name, me string, was bool, now time.Time) leftover {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
	defer cancel()
	l := leftover{round: name, stands: unasked, was: was}
	if bus == nil {
		return l
	}
	found, err := l.asked(ctx, bus, me, now)
	switch {
	case jobstream.Damaged(err):
		l.stands = damaged
	case err == nil:
		l = found
	}
	return l
}

func (l leftover) asked(ctx context.Context, bus *jobstream.Bus, me string, now time.Time) (leftover, error) {
	revisions, err := bus.Outcomes.Revisions(ctx, l.round)
	if err != nil {
		return l, err
	}
	l.stands = left
	if len(revisions) > 0 {
		l.stands, l.revision = concluded, revisions[len(revisions)-1]
		if _, err = bus.Rounds.Replay(ctx, l.round, l.revision); err == nil {
			l.stands = replaying
		}
	} else {
		_, err = bus.Rounds.Manifest(ctx, l.round)
	}
	if errors.Is(err, jobstream.ErrNotFound) {
		if l.revision == 0 {
			l.stands = absent
		}
		err = nil
	}
	if err != nil || l.stands != left && l.stands != replaying {
		return l, err
	}
	holder, heard, err := bus.Holders.LastBeat(ctx, l.round)
	producer, _, _ := strings.Cut(holder.Name, "/")
	if err == nil && !heard.IsZero() && !holder.Released && producer != me && now.Sub(heard) <= holder.For {
		l.stands, l.producer, l.heard = elsewhere, producer, heard
	}
	return l, err
}

// after tells a user who has stopped a command how the round stands; resume is what
// resumes it.
func (l leftover) after(resume string) string {
	switch l.stands {
	case absent:
		if l.was {
			return fmt.Sprintf("nothing is stored of round %s any more: it was removed", l.round)
		}
		return fmt.Sprintf("nothing is stored of round %s: it was not begun", l.round)
	case damaged:
		return fmt.Sprintf("what is stored of round %s cannot be read: producer rounds lists it", l.round)
	case elsewhere:
		return fmt.Sprintf("producer %s holds round %s, and was last heard of at %s", l.producer, l.round, l.heard.Format(instantLayout))
	case left:
		return fmt.Sprintf("round %s is stored: %s resumes it", l.round, resume)
	case concluded:
		return fmt.Sprintf("round %s is concluded, with revision %d", l.round, l.revision)
	case replaying:
		return fmt.Sprintf("a replay of round %s was begun: %s resumes it", l.round, resume)
	case unasked:
	}
	known := "whether round %s is stored is not known"
	if l.was {
		known = "round %s was stored before, and how it stands now is not known"
	}
	return fmt.Sprintf(known+", because NATS does not answer: producer rounds tells when it does", l.round)
}

// explain says how the round stands after a signal, if there was one already.
func (s *session) explain(ctx context.Context, err error) error {
	switch {
	case ctx.Err() == nil:
		return err
	case s.planned == "":
		return command.ErrInterrupted
	}
	var bus *jobstream.Bus
	if s.wire != nil {
		bus = s.wire.Bus
	}
	resume := again(os.Args)
	if !s.replays {
		resume = resuming(os.Args, s.planned)
	}
	return fmt.Errorf("%w; %s", command.ErrInterrupted, leftoverOf(ctx, bus, s.planned, s.name, s.stored, time.Now()).after(resume))
}
