package round

import (
	"slices"
	"strings"
	"time"
)

// InstantOf returns when a round of this name was planned, to the second; false for a name
// that NewID has not made.
func InstantOf(id string) (time.Time, bool) {
	stamp, _, found := strings.Cut(id, "-")
	at, err := time.Parse("20060102t150405z", stamp)
	return at, found && err == nil
}

// Kept lists the rounds that the streams have. Known are all of which anything is stored;
// of these, Planned have their manifest and Concluded an outcome. Turn is the round of the
// schedule's last turn, "" for none.
type Kept struct {
	Known, Planned, Concluded []string
	Turn                      string
}

// Expired lists the rounds that may be removed: concluded ones that were planned before
// now - keep. Exempt are:
//   - the last concluded round, because its rewards are in force until there are others;
//   - the round of the last turn, because without it the turn would look as if its round
//     had never begun;
//   - a round without an outcome, whatever its age, because it can be resumed.
//
// A round without its manifest is removed as well: an earlier removal was interrupted.
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
