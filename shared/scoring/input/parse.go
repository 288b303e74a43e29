package input

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mirrorfleet/shared/scoring/python"
	"mirrorfleet/shared/scoring/strictjson"
)

// shareTolerance is how far the sum of the emission shares may exceed 1: shares
// such as 0.1 add up with rounding errors. docs/rules/scoring.md#registry has it.
const shareTolerance = 1e-9

// RegistryError is one entry of a registry that breaks a rule.
type RegistryError struct {
	Repository string // as the file has it; "" for the registry as a whole
	Field      string // path of the setting; "" for the entry as a whole
	Value      string // shortened; "" where the value does not matter
	Want       string
}

// Error names the repository, the field, its value and what would be right.
func (e *RegistryError) Error() string {
	var where []string
	for _, part := range []string{e.Repository, e.Field} {
		if part != "" {
			where = append(where, part)
		}
	}
	if e.Value != "" {
		where = append(where, e.Value)
	}
	return strings.Join(append(where, "want "+e.Want), ": ")
}

// ParseRegistry reads a registry file. It refuses the whole file when anything
// breaks a rule, and returns every violation: each error is a *RegistryError.
//
// It reads numbers as the validator does. Where a whole number belongs, a fraction
// is cut off. A number may be written as a text. null inside eligibility and scoring
// means the default.
//
// In four things it is stricter than the validator. It refuses names that are not
// owner/repo, repeated names and keys, numbers that are not finite or could make a
// score overflow, and values of a wrong type. With these the validator would fail
// later or silently score otherwise.
func ParseRegistry(data []byte) (Registry, error) {
	entries, err := strictjson.Object(data, "names as owner/repo")
	if err != nil {
		return Registry{}, fmt.Errorf("registry: %w", err)
	}
	p := &registryParser{registry: Registry{index: make(map[string]int, len(entries))}}
	for _, entry := range entries {
		p.entry(entry)
	}
	p.total()
	if len(p.wrong) > 0 {
		return Registry{}, errors.Join(p.wrong...)
	}
	return p.registry, nil
}

// registryParser reads a registry entry by entry and collects the errors.
type registryParser struct {
	registry Registry
	name     string // of the entry being read, as the file has it
	wrong    []error
}

func (p *registryParser) refuse(field string, value []byte, want string) {
	p.wrong = append(p.wrong, &RegistryError{
		Repository: p.name,
		Field:      field,
		Value:      strictjson.Clip(value),
		Want:       want,
	})
}

// entry reads one repository. An entry with a bad name is still read, so that one run
// reports all errors of the file.
func (p *registryParser) entry(f strictjson.Field) {
	p.name = f.Key
	name := python.Lower(f.Key)
	if owner, repo, found := strings.Cut(name, "/"); !found || !isNamePart(owner) || !isNamePart(repo) {
		p.refuse("", nil, "a name as owner/repo")
	}
	if _, taken := p.registry.index[name]; taken {
		p.refuse("", nil, "each repository once: names that differ only in case are the same")
		return
	}
	settings, err := strictjson.Object(f.Value, "settings")
	if err != nil {
		p.refuse("", nil, fmt.Sprintf("an object of settings (%v)", err))
		return
	}
	repo := DefaultRepository(name)
	p.repository(&repo, settings)
	p.registry.index[name] = len(p.registry.Repositories)
	p.registry.Repositories = append(p.registry.Repositories, repo)
}

// isNamePart says whether a text can be the owner or the name of a repository. It
// becomes a segment of request paths, so it must not be able to change them.
func isNamePart(s string) bool {
	return s != "" && s != "." && s != ".." && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r == 0x7f || strings.ContainsRune(`/\?#%`, r)
	})
}

// ownNumbers are the numbers of a repository outside eligibility and scoring.
func ownNumbers(r *Repository) []setting {
	return []setting{
		{key: "emission_share", into: &r.EmissionShare, low: 0, high: 1, minPositive: 1 / maxFactor, needed: true}, // a divisor, unless it is 0
		{key: "issue_discovery_share", into: &r.IssueDiscoveryShare, low: 0, high: 1},
		{key: "maintainer_cut", into: &r.MaintainerCut},
		factor("default_label_multiplier", &r.DefaultLabelMultiplier),
	}
}

// factor is the setting of a number that scores are multiplied by. It may be
// negative: the rules set no range.
func factor(key string, into *float64) setting {
	return setting{
		key:  key,
		into: into,
		low:  -maxFactor,
		high: maxFactor,
	}
}

// repository reads the settings of an entry over the defaults. The cut is capped
// before its range is checked, as in the validator: 0.7 is no error, and neither is 7. A key that no
// rule knows is reported as ignored, because the validator passes over it.
func (p *registryParser) repository(repo *Repository, settings []strictjson.Field) {
	own := ownNumbers(repo)
	p.numbers("", settings, own)
	repo.MaintainerCut = min(repo.MaintainerCut, maxMaintainerCut)
	for _, s := range settings {
		switch s.Key {
		case "additional_acceptable_branches":
			repo.AdditionalBranches = p.branches(s)
		case "trusted_label_pipeline":
			repo.TrustedLabelPipeline = p.flag(s)
		case "label_multipliers":
			repo.LabelMultipliers = p.labels(s)
		case "fixed_base_score":
			repo.FixedBaseScore = p.fixed(s)
			repo.FixedBaseWhole = repo.FixedBaseScore != nil && !strings.ContainsAny(string(s.Value), ".eE")
		case "eligibility":
			p.eligibility(&repo.Eligibility, s)
		case "scoring":
			p.scoring(&repo.Scoring, s)
		default:
			if !slices.ContainsFunc(own, func(n setting) bool { return n.key == s.Key }) {
				p.registry.Ignored = append(p.registry.Ignored, p.name+": "+s.Key)
			}
		}
	}
}

// branches reads globs over branch names, which keep their case. A null inside the
// list is refused: it is no pattern.
func (p *registryParser) branches(s strictjson.Field) []string {
	var patterns []*string
	if err := json.Unmarshal(s.Value, &patterns); err != nil || slices.Contains(patterns, nil) {
		p.refuse(s.Key, s.Value, "a list of branch patterns, or null")
		return nil
	}
	if len(patterns) == 0 {
		return nil
	}
	branches := make([]string, len(patterns))
	for i, pattern := range patterns {
		branches[i] = *pattern
	}
	return branches
}

func (p *registryParser) flag(s strictjson.Field) bool {
	var flag bool
	if err := json.Unmarshal(s.Value, &flag); err != nil {
		p.refuse(s.Key, s.Value, "true or false")
	}
	return flag
}

// labels reads the label multipliers. Patterns are lower-cased, because label names
// are. Two patterns that become equal are both kept: the higher multiplier counts.
func (p *registryParser) labels(s strictjson.Field) []LabelMultiplier {
	if strictjson.IsNull(s.Value) {
		return nil
	}
	entries, err := strictjson.Object(s.Value, "label patterns")
	if err != nil {
		p.refuse(s.Key, s.Value, "an object of label pattern and multiplier, or null")
		return nil
	}
	multipliers := make([]LabelMultiplier, 0, len(entries))
	for _, entry := range entries {
		multiplier, ok := parseNumber(entry.Value, false)
		if of := factor(s.Key, nil); !ok || !of.holds(multiplier) {
			p.refuse(s.Key+"."+entry.Key, entry.Value, of.want())
		}
		multipliers = append(multipliers, LabelMultiplier{Pattern: python.Lower(entry.Key), Multiplier: multiplier})
	}
	return multipliers
}

// fixed reads a fixed base score; nil is none.
func (p *registryParser) fixed(s strictjson.Field) *float64 {
	if strictjson.IsNull(s.Value) {
		return nil
	}
	fixed, ok := parseNumber(s.Value, false)
	// A number written as text is refused here. The validator does not convert this
	// setting: it multiplies what it has read.
	if of := factor(s.Key, nil); !ok || s.Value[0] == '"' || !of.holds(fixed) {
		p.refuse(s.Key, s.Value, of.want()+", or null for none")
		return nil
	}
	return &fixed
}

// total refuses emission shares that add up to more than 1.
func (p *registryParser) total() {
	sum := 0.0
	for i := range p.registry.Repositories {
		sum += p.registry.Repositories[i].EmissionShare
	}
	if sum > 1+shareTolerance {
		p.name = ""
		p.refuse("emission_share", fmt.Append(nil, sum), "at most 1 over all repositories together")
	}
}
