package page

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/terminal"
)

// share is a reward's part of the sum of all rewards, which may be less than 1 (see
// summed). If the sum is 0, the share is 0 and not the NaN of a division by 0.
func share(reward, sum float64) float64 {
	if sum == 0 {
		return 0
	}
	return reward / sum
}

// Rewards prints the rewards of an outcome, and what it lacks.
func Rewards(w io.Writer, l view.Rewards) error {
	p := newPage(w)
	p.titlef("Round "+l.Round, fmt.Sprintf("as of %s, revision %d", l.AsOf.Format(instantLayout), l.Revision))
	if l.Due == nil { // a round of the schedule needs no such line
		p.textf(0, "%s", origin(time.Time{}))
	}
	if !l.Complete {
		printIncomplete(p, l.Round, l.PlannedRules, len(l.UnknownIdentities) > 0)
	}
	p.blank()
	if err := p.writeTo(w); err != nil {
		return err
	}
	// Nine decimals are for reading, not for setting weights: --json has every digit.
	table := terminal.Table{Columns: []terminal.Column{{Title: "UID"}, {Title: "HOTKEY", Text: true}, {Title: "REWARD"}, {Title: "SHARE"}}}
	for i, reward := range l.Rewards {
		table.Add(strconv.Itoa(l.UIDs[i]), l.Hotkeys[i], fmt.Sprintf("%.9f", reward), fmt.Sprintf("%.4f %%", 100*share(reward, l.Sum)))
	}
	if err := table.Write(w); err != nil {
		return err
	}
	return writeLine(w, "\n"+summed(l.Sum, l.Untaken))
}
