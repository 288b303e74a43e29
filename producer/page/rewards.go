package page

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/terminal"
)

// share is a reward's part of the sum of all; 0 if the sum is.
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
	if l.Due == nil {
		p.textf(0, "%s", origin(time.Time{}))
	}
	if !l.Complete {
		printIncomplete(p, l.Round, len(l.UnknownIdentities) > 0)
	}
	p.blank()
	if err := p.writeTo(w); err != nil {
		return err
	}
	table := terminal.Table{Columns: []terminal.Column{{Title: "UID"}, {Title: "HOTKEY", Text: true}, {Title: "REWARD"}, {Title: "SHARE"}}}
	for i, reward := range l.Rewards {
		table.Add(strconv.Itoa(l.UIDs[i]), l.Hotkeys[i], fmt.Sprintf("%.9f", reward), fmt.Sprintf("%.4f %%", 100*share(reward, l.Sum)))
	}
	if err := table.Write(w); err != nil {
		return err
	}
	return writeLine(w, "\n"+summed(l.Sum, l.Untaken))
}
