package shadow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

// ErrForeign says that a record is of other miners or of another registry than the round.
var ErrForeign = errors.New("the record is of something else")

// Verdict says how a miner's figures compare.
type Verdict string

// The verdicts.
const (
	Equal      Verdict = "equal"
	Time       Verdict = "time"
	Inputs     Verdict = "inputs"
	Others     Verdict = "others"
	Rule       Verdict = "rule"
	OursAlone  Verdict = "ours alone"      // only our round has the miner
	TheirAlone Verdict = "validator alone" // only the validator has it
)

// Verdicts lists them as a report counts them.
func Verdicts() []Verdict { return []Verdict{Equal, Time, Inputs, Others, Rule, OursAlone, TheirAlone} }

// Ours is one of our rounds: its stored evaluations, its outcome, and the files that it was
// planned with.
type Ours struct {
	In                          scoring.RoundInput
	Out                         scoring.Outcome
	Registry, Languages, Tokens json.RawMessage
}

// Report compares all miners of a round.
type Report struct {
	Causes []Cause  `json:"causes"` // inputs of the whole round that differ
	Miners []Judged `json:"miners"` // by uid
}

// Judged is one miner with its verdict.
type Judged struct {
	UID     int     `json:"uid"`
	Verdict Verdict `json:"verdict"`
	// Rule names the rule of the first unexplained figure; "" for other verdicts.
	Rule string `json:"rule"`
	// Ours and Theirs are the rewards; nil where the miner does not take part.
	Ours   *float64 `json:"our_reward"`
	Theirs *float64 `json:"validators_reward"`
	// Differences are the first figures that differ, in the order of computation, and More
	// counts the others; Unexplained are the first that differ from the same inputs.
	Differences []Difference `json:"differences"`
	More        int          `json:"more_differences"`
	Unexplained []Difference `json:"unexplained"`
	Causes      []Cause      `json:"causes"`
}

// maxListed bounds each list of figures of one miner. The first ones tell the rule.
const maxListed = 20

// Wrong says whether there is something to put right: a rule that gives another result, or
// another registry, weights or token score.
func (r *Report) Wrong() bool {
	setting := func(c Cause) bool { return c.Kind.Setting() }
	return slices.ContainsFunc(r.Causes, setting) || slices.ContainsFunc(r.Miners, func(m Judged) bool {
		return m.Verdict == Rule || slices.ContainsFunc(m.Causes, setting)
	})
}

// OtherMiners says whether the two sides have other miners: a hotkey, an account or who takes
// part differs, or a uid is on one side alone. A metagraph or tokens that are not the validator's
// do that, and so does a miner that registered or stored its token between the two instants.
// Neither side records when one did, so an operator has to look.
func (r *Report) OtherMiners() bool {
	return slices.ContainsFunc(r.Miners, func(m Judged) bool {
		return m.Verdict == OursAlone || m.Verdict == TheirAlone ||
			slices.ContainsFunc(m.Causes, func(c Cause) bool { return c.Kind == KindMiner })
	})
}

// comparison is what Compare works on.
type comparison struct {
	in       scoring.RoundInput
	out      scoring.Outcome
	record   *Record
	registry input.Registry // the one by which is scored anew
	entries  map[int]input.Miner
	ours     map[int]*scoring.MinerOutcome
	scored   map[int]map[item]*Pull           // by the validator
	figures  map[item]*tokens.Figures         // that our workers have; nil for files that gave none
	solving  map[item]scoring.SolvingScore    // likewise, of solvers
	merged   map[item]bool                    // in the validator's merged lists
	lacking  map[int][]Cause                  // why given could not score an issue of a miner
	apart    map[Verdict]map[int][]Difference // after each step
}

// Compare compares a round of ours with a validator's, unless the context ends.
func Compare(ctx context.Context, ours Ours, record *Record) (Report, error) {
	c := newComparison(&ours, record)
	if err := c.foreign(); err != nil {
		return Report{}, err
	}
	c.apart[Equal] = c.compare(ctx, ours.Out)
	c.apart[Time] = c.compare(ctx, scoring.Conclude(c.timed()))
	if err := ongoing(ctx); err != nil {
		return Report{}, err
	}
	c.apart[Inputs] = c.compare(ctx, scoring.Conclude(c.given()))
	r := Report{Causes: c.roundCauses(&ours), Miners: []Judged{}}
	uids := slices.Collect(maps.Keys(c.ours))
	uids = slices.AppendSeq(uids, maps.Keys(record.byUID))
	slices.Sort(uids)
	for _, uid := range slices.Compact(uids) {
		if err := ongoing(ctx); err != nil {
			return Report{}, err
		}
		r.Miners = append(r.Miners, c.judge(uid))
	}
	return r, nil
}

func newComparison(ours *Ours, record *Record) *comparison {
	c := &comparison{
		in:      ours.In,
		out:     ours.Out,
		record:  record,
		entries: map[int]input.Miner{},
		ours:    map[int]*scoring.MinerOutcome{},
		scored:  map[int]map[item]*Pull{},
		figures: map[item]*tokens.Figures{},
		solving: map[item]scoring.SolvingScore{},
		merged:  map[item]bool{},
		lacking: map[int][]Cause{},
		apart:   map[Verdict]map[int][]Difference{},
	}
	for _, m := range c.in.Miners {
		if _, twice := c.entries[m.UID]; !twice {
			c.entries[m.UID] = m
		}
	}
	for i := range c.out.Miners {
		c.ours[c.out.Miners[i].UID] = &c.out.Miners[i]
	}
	for _, uid := range slices.Sorted(maps.Keys(c.in.Evaluations)) {
		c.keep(c.in.Evaluations[uid])
	}
	for i := range record.Miners {
		m := &record.Miners[i]
		c.scored[m.UID] = map[item]*Pull{}
		for j := range m.PullRequests {
			p := &m.PullRequests[j]
			name := item{Repository: p.Repository, Number: p.Number}
			c.scored[m.UID][name] = p
			c.merged[name] = c.merged[name] || p.State == scoring.Merged
		}
	}
	return c
}

// keep notes the token figures of an evaluation.
func (c *comparison) keep(e scoring.Evaluation) {
	for _, list := range [][]scoring.ScoredPullRequest{e.Merged, e.Open, e.Closed} {
		for i := range list {
			c.figures[item{Repository: list[i].Repository, Number: list[i].Number}] = list[i].Tokens
		}
	}
	if e.Issues == nil {
		return
	}
	for _, s := range e.Issues.Solving {
		if !s.Unavailable {
			c.solving[item{Repository: s.Repository, Number: s.Number}] = s
		}
	}
}

func (c *comparison) unkept(uid int, cause Cause) { c.lacking[uid] = append(c.lacking[uid], cause) }

// compare compares the figures of the miners that both sides have, until the context ends.
func (c *comparison) compare(ctx context.Context, out scoring.Outcome) map[int][]Difference {
	rewards := map[int]float64{}
	for _, r := range out.Rewards {
		rewards[r.UID] = r.Reward
	}
	found := map[int][]Difference{}
	for i := range out.Miners {
		m := &out.Miners[i]
		theirs := c.record.byUID[m.UID]
		if theirs == nil || ctx.Err() != nil {
			continue
		}
		list := apart(figuresOf(m, rewards[m.UID]), figuresOf(theirs.outcome(), c.record.Rewards[m.UID]))
		if len(list) > 0 {
			found[m.UID] = list
		}
	}
	return found
}

// judge finds the first verdict that holds for a miner.
func (c *comparison) judge(uid int) Judged {
	j := Judged{
		UID:         uid,
		Differences: []Difference{},
		Unexplained: []Difference{},
		Causes:      []Cause{},
	}
	theirs, there := c.record.Rewards[uid]
	if there {
		j.Theirs = &theirs
	}
	if c.ours[uid] != nil {
		j.Ours = c.rewardOf(uid)
	}
	switch {
	case c.ours[uid] == nil:
		j.Verdict = TheirAlone
		return j
	case !there:
		j.Verdict = OursAlone
		return j
	}
	j.Causes = append(j.Causes, c.whoDiffers(uid)...)
	if len(c.apart[Equal][uid]) == 0 {
		j.Verdict = Equal
		return j
	}
	j.Differences = first(c.apart[Equal][uid])
	j.More = len(c.apart[Equal][uid]) - len(j.Differences)
	left := c.apart[Inputs][uid]
	if len(c.apart[Time][uid]) == 0 {
		j.Verdict = Time
		return j
	}
	j.Causes = append(append(j.Causes, c.causesOf(uid)...), c.lacking[uid]...)
	switch {
	case len(left) > 0 && !c.excused(uid, left):
		j.Verdict, j.Rule = Rule, left[0].Rule
		j.Unexplained = first(left)
	case len(j.Causes) > 0:
		j.Verdict = Inputs
	default:
		j.Verdict = Others
	}
	return j
}

// excused says whether the remaining differences can follow from those of another miner, or
// from an answer that our round did not keep: rewards divide one sum, and issues need the
// solvers' files.
func (c *comparison) excused(uid int, left []Difference) bool {
	from := slices.Index(computed, ruleRewards)
	if len(c.lacking[uid]) > 0 {
		from = slices.Index(computed, ruleMiner) + 1 // all figures of issues
	}
	if slices.Index(computed, left[0].Rule) < from {
		return false
	}
	for _, other := range c.apart[Inputs] {
		if other[0].Rule != ruleRewards {
			return true
		}
	}
	return false
}

func first(list []Difference) []Difference { return list[:min(len(list), maxListed)] }

func (c *comparison) rewardOf(uid int) *float64 {
	for i := range c.out.Rewards {
		if c.out.Rewards[i].UID == uid {
			return &c.out.Rewards[i].Reward
		}
	}
	return nil
}

// foreign refuses a record that cannot be compared, because the two sides have no miner or no
// repository in common.
func (c *comparison) foreign() error {
	same := func(m input.Miner) bool {
		theirs := c.record.byUID[m.UID]
		return theirs != nil && m.Hotkey != "" && theirs.Hotkey == m.Hotkey
	}
	if !slices.ContainsFunc(c.in.Miners, same) {
		return fmt.Errorf("%w: none of its %d miners has the hotkey that it has in the round; it is of another subnet or network",
			ErrForeign, len(c.record.Miners))
	}
	for i := range c.in.Registry.Repositories {
		if _, known := c.record.registry.Repository(c.in.Registry.Repositories[i].Name); known {
			return nil
		}
	}
	return fmt.Errorf("%w: its registry has none of the round's repositories", ErrForeign)
}
