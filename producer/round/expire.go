package round

import (
	"slices"
	"strings"
	"time"
)

// InstantOf is when a round of that name was planned; false for a name that
// NewID has not made.
func InstantOf(id string) (time.Time, bool) {
	stamp, _, found := strings.Cut(id, "-")
	at, err := time.Parse("20060102t150405z", stamp)
	return at, found && err == nil
}

// Kept is which rounds there are: Known are all of which anything is left, and
// of these Planned have their manifest and Concluded an outcome. Turn is the one
// of the schedule's last turn, "" for none.
type Kept struct {
	Known, Planned, Concluded []string
	Turn                      string
}

// Expired lists the rounds of which nothing need be kept any more: concluded
// ones that were planned before now - keep, but for the last of them, whose
// rewards are in force until there are others, and for that of the last turn,
// which would look as if it had never been begun. One that nobody has concluded
// stays, whatever its age: it can be gone on with. One without its manifest was
// forgotten half-way.
func Expired(k Kept, keep time.Duration, now time.Time) []string {
	last := ""
	for _, name := range k.Concluded {
		if slices.Contains(k.Planned, name) {
			last = max(last, name)
		}
	}
	var expired []string
	for _, name := range k.Known {
		at, ours := InstantOf(name)
		over := slices.Contains(k.Concluded, name) || !slices.Contains(k.Planned, name)
		if ours && over && name != last && name != k.Turn && now.Sub(at) > keep {
			expired = append(expired, name)
		}
	}
	return expired
}
