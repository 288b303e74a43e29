package estimate

import (
	"fmt"
	"strings"
)

// sum is what all miners take together, without their order.
type sum struct {
	lookUps, kept, unkept  int
	lookUpsFrom, filesFrom string
}

// sum adds up the measured miners, and the figures that are assumed of the others. A pull
// request that several miners need is fetched once.
func (in Input) sum() sum {
	var s sum
	measured := 0
	listed := 0
	shared := map[string]bool{}
	for _, m := range in.Miners {
		if m.Size == nil {
			continue
		}
		measured++
		s.lookUps += m.Size.LookUps
		s.unkept += m.Size.Unkept
		listed += len(m.Size.Pulls)
		for _, name := range m.Size.Pulls {
			shared[name] = true
		}
	}
	s.kept = len(shared)
	unknown, issuesOnly := len(in.Miners)-measured, 0
	for _, m := range in.Miners {
		if m.Size == nil && m.IssuesOnly {
			issuesOnly++
		}
	}
	pulls, pullsFrom := in.PullsPerMiner, fmt.Sprintf("%d a miner assumed", in.PullsPerMiner)
	assumed := (unknown - issuesOnly) * max(pulls, 0)
	if pulls < 0 && measured > 0 {
		// Rounded up once for all of them.
		assumed = ((unknown-issuesOnly)*listed + measured - 1) / measured
		pullsFrom = fmt.Sprintf("the others' mean of %.1f taken", float64(listed)/float64(measured))
	}
	s.kept += assumed
	s.lookUps += unknown*LookUps - issuesOnly*(LookUps-issuesLookUps)
	s.lookUpsFrom = in.from(measured, unknown, fmt.Sprintf("%d a miner assumed", LookUps))
	s.filesFrom = in.from(measured, unknown, pullsFrom)
	return s
}

// from says which figures are measured, and which are assumed.
func (in Input) from(measured, unknown int, assumption string) string {
	var parts []string
	if measured > 0 {
		parts = append(parts, fmt.Sprintf("measured in round %s (miners: %d)", in.Round, measured))
	}
	if unknown > 0 {
		parts = append(parts, fmt.Sprintf("%s (miners: %d)", assumption, unknown))
	}
	return strings.Join(parts, "; ")
}
