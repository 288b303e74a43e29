package view

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mirrorfleet/conformance"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/shadow"
)

// ErrOtherRound says that a validator's record is of another round.
var ErrOtherRound = errors.New("the record is of another round")

// maxApart is how far from a round's instant a validator may have scored. Rounds are two hours
// apart, and a validator's own round may take some hours. Much later, most inputs differ.
const maxApart = 6 * time.Hour

// Shadow compares rounds of a validator's own with ours.
type Shadow struct {
	Records []Shadowed `json:"records"` // in the order of the files
}

// Wrong says whether there is something to put right, or to look at.
func (s *Shadow) Wrong() bool {
	return slices.ContainsFunc(s.Records, func(r Shadowed) bool { return r.Wrong || r.OtherMiners })
}

// Failed counts the files that could not be compared.
func (s *Shadow) Failed() (n int) {
	for i := range s.Records {
		if s.Records[i].Error != "" {
			n++
		}
	}
	return n
}

// Shadowed is one record compared with a round.
type Shadowed struct {
	File string `json:"file"`
	// Error says why the file could not be compared; all else is then empty.
	Error    string `json:"error"`
	Round    string `json:"round"`
	Revision int    `json:"revision"`
	AsOf     string `json:"as_of"`
	// Began and Ended are when the validator scored, Validator is its version.
	Began     string `json:"validator_began"`
	Ended     string `json:"validator_ended"`
	Validator string `json:"validator"`
	// Wrong says whether a rule gives another result, or a registry, weights or token scores
	// differ.
	Wrong bool `json:"wrong"`
	// OtherMiners says whether hotkeys, accounts or who takes part differ, or a uid is on one
	// side alone. Other differences come from answers of the mirror that have changed in between.
	OtherMiners bool            `json:"other_miners"`
	Verdicts    []VerdictCount  `json:"verdicts"`
	Notes       []string        `json:"notes"`
	Causes      []shadow.Cause  `json:"causes"`
	Miners      []shadow.Judged `json:"miners"`
}

// NotShadowed is a file that could not be compared.
func NotShadowed(file string, why error) Shadowed {
	return Shadowed{
		File:     file,
		Error:    why.Error(),
		Verdicts: []VerdictCount{},
		Notes:    []string{},
		Causes:   []shadow.Cause{},
		Miners:   []shadow.Judged{},
	}
}

// VerdictCount counts the miners that have a verdict.
type VerdictCount struct {
	Verdict shadow.Verdict `json:"verdict"`
	Miners  int            `json:"miners"`
}

// ShadowOf compares a validator's record with a round of ours: the named one, or without a name
// the concluded one that is nearest to it.
func ShadowOf(ctx context.Context, bus *jobstream.Bus, name string, revision int, data []byte) (Shadowed, error) {
	record, err := shadow.Decode(ctx, data)
	if err != nil {
		return Shadowed{}, err
	}
	if name == "" {
		if name, err = nearest(ctx, bus, &record); err != nil {
			return Shadowed{}, err
		}
	}
	r, err := Find(ctx, bus, name, revision)
	if err != nil {
		return Shadowed{}, err
	}
	if apart := record.Apart(r.AsOf); apart > maxApart {
		return Shadowed{}, fmt.Errorf("%w: the validator scored from %s to %s, and round %s is of %s", ErrOtherRound,
			instantText(record.Pulls.Began), instantText(record.Issues.Ended), r.Round, instantText(r.AsOf))
	}
	ours, err := oursOf(ctx, bus, &r)
	if err != nil {
		return Shadowed{}, err
	}
	report, err := shadow.Compare(ctx, ours, &record)
	if err != nil {
		return Shadowed{}, err
	}
	s := Shadowed{
		Round:       r.Round,
		Revision:    r.Revision,
		AsOf:        instantText(r.AsOf),
		Began:       instantText(record.Pulls.Began),
		Ended:       instantText(record.Issues.Ended),
		Validator:   record.Validator,
		Wrong:       report.Wrong(),
		OtherMiners: report.OtherMiners(),
		Causes:      report.Causes,
		Miners:      report.Miners,
	}
	s.Verdicts = countVerdicts(report.Miners)
	s.Notes, err = shadowNotes(&r, &record)
	return s, err
}

func instantText(t time.Time) string { return t.UTC().Format(InstantLayout) }

// oursOf returns a round for the comparison. Its stored evaluations must give its outcome
// again, which they may not do under later rules.
func oursOf(ctx context.Context, bus *jobstream.Bus, r *outcome.Result) (shadow.Ours, error) {
	m, err := bus.Rounds.Manifest(ctx, r.Round)
	if err != nil {
		return shadow.Ours{}, fmt.Errorf("reading the manifest of round %s: %w", r.Round, err)
	}
	in, err := keptOf(ctx, bus, r)
	if errors.Is(err, ErrNotKept) && r.RulesVersion() != scoring.RulesVersion {
		return shadow.Ours{}, fmt.Errorf("round %s was concluded under version %d of the rules, and this build has version %d: %w",
			r.Round, r.RulesVersion(), scoring.RulesVersion, err)
	}
	return shadow.Ours{
		In:        in,
		Out:       r.Outcome,
		Registry:  m.Registry,
		Languages: m.Languages,
		Tokens:    m.Tokens,
	}, err
}

// nearest names the concluded round whose instant is nearest to a record.
func nearest(ctx context.Context, bus *jobstream.Bus, record *shadow.Record) (string, error) {
	names, err := bus.Rounds.Concluded(ctx)
	if err != nil {
		return "", fmt.Errorf("looking for the round of a record: %w", err)
	}
	best, apart := "", time.Duration(0)
	for _, name := range slices.Backward(names) {
		head, err := firstHead(ctx, bus, name)
		if jobstream.Damaged(err) || errors.Is(err, jobstream.ErrNotFound) {
			continue // it says nothing about the others
		}
		if err != nil {
			return "", fmt.Errorf("looking for the round of a record: round %s: %w", name, err)
		}
		if d := record.Apart(head.AsOf); best == "" || d < apart {
			best, apart = name, d
		}
	}
	if best == "" {
		return "", noneConcluded(ctx, bus)
	}
	return best, nil
}

func countVerdicts(miners []shadow.Judged) []VerdictCount {
	list := []VerdictCount{}
	for _, verdict := range shadow.Verdicts() {
		n := 0
		for i := range miners {
			if miners[i].Verdict == verdict {
				n++
			}
		}
		if n > 0 || verdict == shadow.Equal {
			list = append(list, VerdictCount{verdict, n})
		}
	}
	return list
}

// shadowNotes lists what a reader of the report should know about both sides.
func shadowNotes(r *outcome.Result, record *shadow.Record) ([]string, error) {
	notes := []string{}
	if !r.Complete {
		notes = append(notes, "our round is not complete: producer show "+r.Round+" lists what it lacks")
	}
	if rules := r.RulesVersion(); rules != scoring.RulesVersion {
		var changes []string
		for _, c := range scoring.RuleChanges(rules, scoring.RulesVersion) {
			changes = append(changes, c.Change)
		}
		notes = append(notes, fmt.Sprintf("our round was concluded under version %d of the rules, and this build has version %d: %s",
			rules, scoring.RulesVersion, strings.Join(changes, "; ")))
	}
	if strings.TrimRight(r.Mirror, "/") != strings.TrimRight(record.Mirror, "/") {
		notes = append(notes, fmt.Sprintf("our round asked %s, and the validator %s", r.Mirror, record.Mirror))
	}
	followed, err := conformance.Read()
	if err != nil {
		return nil, err
	}
	var files []string
	for _, path := range slices.Sorted(maps.Keys(followed.Files)) {
		if digest, recorded := record.Rules[path]; recorded && digest != followed.Files[path].SHA256 {
			files = append(files, path)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(followed.Packages)) {
		if version, recorded := record.Packages[name]; recorded && version != followed.Packages[name] {
			files = append(files, name+" "+version)
		}
	}
	if len(files) > 0 {
		notes = append(notes, fmt.Sprintf("the validator's code is not that of %s, which this build follows: %s",
			followed.Date, plural.Some(files, MaxListed)))
	}
	return notes, nil
}
