package shadow

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// The format and version that a record names: deploy/validator/mirrorfleet_record.py.
const (
	Format  = "mirrorfleet-validator-round"
	Version = 1
)

// MaxRecord bounds a record, in bytes, as a file and once unpacked. One of 256 miners with a
// hundred pull requests each has about 40 MB.
const MaxRecord = 128 << 20

// The bounds of what is in a record. That one of 40 MB has about 200,000 items of lists, and
// 1.6 million members of objects. In memory an item of a few bytes may take 500.
const (
	maxItems, maxMembers = 1 << 20, 6 << 20
	// A subnet has 256 uids. Repositories are looked for in lists.
	maxMiners, maxRepositories = 4096, 2048
)

// ErrRefused says that a file is no record that can be read: of another kind, not whole, or of a
// later version.
var ErrRefused = errors.New("no whole record of a validator's round")

// Record is one round that a validator scored by itself: its inputs and its results.
type Record struct {
	Format    string `json:"format"`
	Version   int    `json:"version"`
	Validator string `json:"validator"` // its version
	Mirror    string `json:"mirror"`
	// Registry and weights are the validator's files.
	Registry  json.RawMessage `json:"registry"`
	Languages json.RawMessage `json:"programming_languages"`
	Tokens    json.RawMessage `json:"token_weights"`
	// Rules are the digests of the validator's code by path, Packages the versions of its
	// parser.
	Rules    map[string]string `json:"rules"`
	Packages map[string]string `json:"packages"`
	// Pulls is when the pull requests were loaded and scored, Issues when the issues were.
	Pulls  Span `json:"pulls"`
	Issues Span `json:"issues"`
	// Windows are how many days back the lists of each kind ("pull requests", "issues") reach,
	// by repository; a kind that was not asked for has none.
	Windows map[string]map[string]float64 `json:"windows"`
	// FilesLacking names the pull requests ("owner/repo#7") whose files it could not fetch.
	FilesLacking []string         `json:"files_lacking"`
	Maintainers  map[string][]int `json:"maintainers"` // uids by repository
	Miners       []Miner          `json:"miners"`
	Rewards      map[int]float64  `json:"rewards"`

	registry input.Registry
	byUID    map[int]*Miner
	lacking  map[string]bool // FilesLacking
}

// Span is when something began and ended.
type Span struct {
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended"`
}

// Miner is one miner of a record. What the mirror answered is nil if it did not answer, or was
// not asked.
type Miner struct {
	scoring.PullFigures
	scoring.IssueFigures

	UID      int           `json:"uid"`
	Hotkey   string        `json:"hotkey"`
	GitHubID string        `json:"github_id"`
	Failed   input.Failure `json:"failed"`
	// FetchFailed says that the pull requests could not be listed, FromStored that stored
	// ones stood in.
	FetchFailed  bool                        `json:"fetch_failed"`
	FromStored   bool                        `json:"from_stored"`
	Repositories []scoring.RepositoryOutcome `json:"repositories"`
	PullRequests []Pull                      `json:"pull_requests"` // merged, open, closed
	ScoredIssues []scoring.ScoredIssue       `json:"scored_issues"`

	Received []scoring.PullRequest `json:"received"`
	Listed   []scoring.Issue       `json:"listed"`
	Open     map[string]int        `json:"open"` // open issues by repository
}

// Pull is a pull request with the scores that it has in a record.
type Pull struct {
	scoring.PullRequestOutcome

	// Files counts its files; nil if they were not fetched. Without any it is not scored.
	Files *int `json:"files"`
}

// Decode reads a record, compressed by gzip or not, unless the context ends.
func Decode(ctx context.Context, data []byte) (Record, error) {
	var r Record
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		var err error
		if data, err = unpack(data); err != nil {
			return r, fmt.Errorf("%w: unpacking it: %w", ErrRefused, err)
		}
	}
	if err := tooMuch(data); err != nil {
		return r, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if err := ongoing(ctx); err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if err := r.check(); err != nil {
		return r, err
	}
	registry, err := input.ParseRegistry(r.Registry)
	if err != nil {
		return r, fmt.Errorf("%w: its registry: %w", ErrRefused, err)
	}
	if n := len(registry.Repositories); n > maxRepositories {
		return r, fmt.Errorf("%w: its registry has %d repositories, want at most %d", ErrRefused, n, maxRepositories)
	}
	r.registry = registry
	return r, ongoing(ctx)
}

// ongoing is an error once the context has ended.
func ongoing(ctx context.Context) error {
	if ctx.Err() != nil {
		return fmt.Errorf("comparing a record: %w", context.Cause(ctx))
	}
	return nil
}

// Apart is how far an instant is from the validator's scoring; 0 within it.
func (r *Record) Apart(at time.Time) time.Duration {
	return max(0, r.Pulls.Began.Sub(at), at.Sub(r.Issues.Ended))
}

func unpack(data []byte) ([]byte, error) {
	packed, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller wraps it
	}
	unpacked, err := io.ReadAll(io.LimitReader(packed, MaxRecord+1))
	if err != nil {
		return nil, err //nolint:wrapcheck // as above
	}
	return unpacked, nil // tooMuch refuses one that is too long
}

// tooMuch refuses what would take too much memory. It counts punctuation outside of strings: a
// comma precedes each item and each member but the first, and a colon is in each member.
func tooMuch(data []byte) error {
	if len(data) > MaxRecord {
		return fmt.Errorf("it has more than %d MB", MaxRecord>>20)
	}
	items, members := 0, 0
	text := false
	for i := 0; i < len(data); i++ {
		switch b := data[i]; {
		case b == '"':
			text = !text
		case text && b == '\\':
			i++ // whatever is escaped
		case text:
		case b == ',' || b == '[' || b == '{':
			items++
		case b == ':':
			items--
			members++
		}
	}
	if items > maxItems || members > maxMembers {
		return fmt.Errorf("it has %d items in lists and %d members of objects, want at most %d and %d", items, members, maxItems, maxMembers)
	}
	return nil
}

// check refuses what Compare could not read.
func (r *Record) check() error {
	switch {
	case r.Format != Format:
		return fmt.Errorf("%w: its format is %q, want %q", ErrRefused, r.Format, Format)
	case r.Version < 1 || r.Version > Version:
		return fmt.Errorf("%w: its version is %d, and this build reads 1 to %d", ErrRefused, r.Version, Version)
	case len(r.Miners) == 0:
		return fmt.Errorf("%w: it has no miners", ErrRefused)
	case len(r.Miners) > maxMiners:
		return fmt.Errorf("%w: it has %d miners, want at most %d", ErrRefused, len(r.Miners), maxMiners)
	}
	for name, s := range map[string]Span{"pulls": r.Pulls, "issues": r.Issues} {
		if s.Began.IsZero() || s.Ended.Before(s.Began) {
			return fmt.Errorf("%w: its %s began at %s and ended at %s", ErrRefused, name, instant(s.Began), instant(s.Ended))
		}
	}
	r.byUID = make(map[int]*Miner, len(r.Miners))
	for i := range r.Miners {
		m := &r.Miners[i]
		if _, rewarded := r.Rewards[m.UID]; !rewarded {
			return fmt.Errorf("%w: miner %d has no reward", ErrRefused, m.UID)
		}
		if r.byUID[m.UID] != nil {
			return fmt.Errorf("%w: miner %d is in it twice", ErrRefused, m.UID)
		}
		if n := len(m.Repositories); n > maxRepositories {
			return fmt.Errorf("%w: miner %d has %d repositories, want at most %d", ErrRefused, m.UID, n, maxRepositories)
		}
		r.byUID[m.UID] = m
	}
	if len(r.Rewards) != len(r.Miners) {
		return fmt.Errorf("%w: it has %d rewards of %d miners", ErrRefused, len(r.Rewards), len(r.Miners))
	}
	r.lacking = make(map[string]bool, len(r.FilesLacking))
	for _, name := range r.FilesLacking {
		r.lacking[name] = true
	}
	return nil
}

// outcome is a miner of the record in the form of ours.
func (m *Miner) outcome() *scoring.MinerOutcome {
	out := &scoring.MinerOutcome{
		PullFigures:  m.PullFigures,
		IssueFigures: m.IssueFigures,
		UID:          m.UID,
		Hotkey:       m.Hotkey,
		GitHubID:     m.GitHubID,
		Failed:       m.Failed,
		FromStored:   m.FromStored,
		Repositories: m.Repositories,
		ScoredIssues: m.ScoredIssues,
	}
	for i := range m.PullRequests {
		out.PullRequests = append(out.PullRequests, m.PullRequests[i].PullRequestOutcome)
	}
	return out
}

func instant(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02T15:04:05.999999Z")
}
