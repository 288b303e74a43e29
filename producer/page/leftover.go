package page

import (
	"fmt"

	"mirrorfleet/producer/view"
)

// After tells a user who has stopped a command what is stored of the round. resume is the
// command that resumes it. Only what NATS has confirmed is claimed.
func After(l view.Leftover, resume string) string {
	switch l.Stands {
	case view.LeftAbsent:
		if l.Was {
			return fmt.Sprintf("nothing is left of round %s: it was removed", l.Round)
		}
		return fmt.Sprintf("nothing is stored of round %s: it had not begun", l.Round)
	case view.LeftDamaged:
		return fmt.Sprintf("the stored data of round %s cannot be read: producer rounds lists the round", l.Round)
	case view.LeftElsewhere:
		return fmt.Sprintf("producer %s runs round %s; its last sign of life was at %s", l.Producer, l.Round, l.Heard.Format(view.InstantLayout))
	case view.LeftStored:
		return fmt.Sprintf("round %s is stored: %s resumes it", l.Round, resume)
	case view.LeftConcluded:
		return fmt.Sprintf("round %s is concluded, with revision %d", l.Round, l.Revision)
	case view.LeftReplaying:
		return fmt.Sprintf("a replay of round %s was begun: %s resumes it", l.Round, resume)
	case view.LeftUnasked:
	}
	known := "it is unknown whether round %s is stored"
	if l.Was {
		known = "round %s was stored before, but its state now is unknown"
	}
	return fmt.Sprintf(known+", because NATS does not answer: producer rounds shows it once NATS does", l.Round)
}

// Idle is what a producer logs when it is stopped while it works on no round. led says
// that it led the schedule.
func Idle(led bool) string {
	if led {
		return "stopped: no round was under way"
	}
	return "stopped: this producer did not lead, and no round was under way here"
}

// AfterServe tells an operator who has stopped a producer how its round stands, and who
// continues it.
func AfterServe(l view.Leftover) string {
	switch l.Stands {
	case view.LeftAbsent:
		return fmt.Sprintf("stopped: nothing is stored of round %s, and the next producer takes its turn", l.Round)
	case view.LeftReplaying: // another producer's replay: this one worked on the round itself
		l.Stands = view.LeftConcluded
	case view.LeftUnasked, view.LeftDamaged, view.LeftElsewhere, view.LeftStored, view.LeftConcluded:
	}
	return "stopped: " + After(l, "the next producer")
}
