package page

import (
	"fmt"

	"mirrorfleet/producer/view"
)

// After tells a user who has stopped a command how the round stands; resume is what
// resumes it.
func After(l view.Leftover, resume string) string {
	switch l.Stands {
	case view.LeftAbsent:
		if l.Was {
			return fmt.Sprintf("nothing is stored of round %s any more: it was removed", l.Round)
		}
		return fmt.Sprintf("nothing is stored of round %s: it was not begun", l.Round)
	case view.LeftDamaged:
		return fmt.Sprintf("what is stored of round %s cannot be read: producer rounds lists it", l.Round)
	case view.LeftElsewhere:
		return fmt.Sprintf("producer %s holds round %s, and was last heard of at %s", l.Producer, l.Round, l.Heard.Format(view.InstantLayout))
	case view.LeftStored:
		return fmt.Sprintf("round %s is stored: %s resumes it", l.Round, resume)
	case view.LeftConcluded:
		return fmt.Sprintf("round %s is concluded, with revision %d", l.Round, l.Revision)
	case view.LeftReplaying:
		return fmt.Sprintf("a replay of round %s was begun: %s resumes it", l.Round, resume)
	case view.LeftUnasked:
	}
	known := "whether round %s is stored is not known"
	if l.Was {
		known = "round %s was stored before, and how it stands now is not known"
	}
	return fmt.Sprintf(known+", because NATS does not answer: producer rounds tells when it does", l.Round)
}

// Idle is what a producer says that is stopped while it works on no round.
func Idle(led bool) string {
	if led {
		return "stopped: no round was under way"
	}
	return "stopped: this producer did not lead, and no round was under way here"
}

// AfterServe tells an operator who has stopped a producer how its round stands.
func AfterServe(l view.Leftover) string {
	switch l.Stands {
	case view.LeftAbsent:
		return fmt.Sprintf("stopped: nothing is stored of round %s, and the next producer takes its turn", l.Round)
	case view.LeftReplaying: // by somebody else: this producer had the round alone
		l.Stands = view.LeftConcluded
	case view.LeftUnasked, view.LeftDamaged, view.LeftElsewhere, view.LeftStored, view.LeftConcluded:
	}
	return "stopped: " + After(l, "the next producer")
}
