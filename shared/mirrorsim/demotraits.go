package mirrorsim

import (
	"encoding/json"
	"time"
)

// subject is a pull request of the demo while it is being made up.
type subject struct {
	d     *demo
	pull  *Pull
	files *[]File
	repo  demoRepo
}

// traits are what makes a pull request a case of some rule. Every third pull
// request has one, in turn, so that each comes up with every seed.
//
//nolint:gochecknoglobals // a table
var traits = []func(subject){
	// Labels: by a maintainer, by anyone, by nobody known, without a name, several, none that matches.
	func(s subject) { s.label("bug", "MEMBER") },
	func(s subject) { s.label("feature-request", "CONTRIBUTOR") },
	func(s subject) { s.label("kind/feature", "") },
	func(s subject) { s.label("", "OWNER"); s.label("Docs", "OWNER") },
	func(s subject) {
		s.label("BUG", "COLLABORATOR")
		s.label("Feature/Sail", "OWNER")
		s.label("kind/bug", "MEMBER")
	},
	func(s subject) { s.label("wontfix", "MEMBER") },
	// Linked issues: valid ones first, then one of each kind that is not.
	func(s subject) { s.issue(nil) },
	func(s subject) { s.issue(func(i *LinkedIssue) { i.AuthorAssociation = new("OWNER") }) },
	func(s subject) { s.issue(func(i *LinkedIssue) { i.SolvedByPR = &s.pull.Number }) },
	func(s subject) { s.issue(func(i *LinkedIssue) { i.CreatedAt, i.ClosedAt = nil, nil }) },
	func(s subject) { s.issue(func(i *LinkedIssue) { i.IsTransferred = true }) },
	func(s subject) { s.issue(func(i *LinkedIssue) { i.AuthorGitHubID = nil }) },
	func(s subject) {
		s.issue(func(i *LinkedIssue) { i.AuthorGitHubID = new(githubIDOf(s.pull)) })
	},
	func(s subject) { s.issue(func(i *LinkedIssue) { i.CreatedAt = new(s.pull.CreatedAt.Add(time.Hour)) }) },
	func(s subject) { s.issue(func(i *LinkedIssue) { i.StateReason = new("NOT_PLANNED") }) },
	func(s subject) { s.issue(func(i *LinkedIssue) { i.SolvedByPR = new(s.pull.Number + 1) }) },
	func(s subject) {
		s.issue(func(i *LinkedIssue) { i.State, i.StateReason, i.ClosedAt = stateOpen, nil, nil })
	},
	func(s subject) { s.issue(func(i *LinkedIssue) { i.ClosedAt = new(i.ClosedAt.Add(-5 * time.Hour)) }) },
	func(s subject) { s.issue(func(i *LinkedIssue) { i.ClosedAt = new(i.ClosedAt.Add(49 * time.Hour)) }) },
	func(s subject) { s.issue(nil); s.pull.EditedAfterMerge = true },
	// Reviews: one objection, three, more than the score bears.
	func(s subject) { s.pull.ReviewSummary.MaintainerChangesRequested = 1 },
	func(s subject) { s.pull.ReviewSummary.MaintainerChangesRequested = 3 },
	func(s subject) { s.pull.ReviewSummary.MaintainerChangesRequested = 9 },
	// Branches and accounts, as odd as the mirror has them and yet acceptable.
	func(s subject) { s.pull.DefaultBranch = nil },
	func(s subject) { s.pull.HeadRef, s.pull.HeadRepoFullName = nil, nil },
	func(s subject) { s.pull.HeadRepoFullName = new(s.repo.name) },
	func(s subject) { s.pull.MergeBaseSHA = nil },
	func(s subject) { s.pull.MergedByLogin, s.pull.ReviewSummary.Approved = &s.pull.AuthorLogin, 1 },
	func(s subject) { s.pull.MergedByLogin, s.pull.ReviewSummary.Approved = nil, 0 },
	func(s subject) { s.pull.AuthorAssociation = nil },
	// Files of every kind, and none at all.
	func(s subject) { *s.files = []File{} },
	func(s subject) { s.odd(fileRemoved) },
	func(s subject) { s.odd(fileRenamed) },
	func(s subject) { s.odd(fileCopied) },
	func(s subject) { s.odd("binary") },
	func(s subject) { s.odd("oversize") },
	func(s subject) { s.odd("large") },
	func(s subject) { s.odd("unsupported") },
	func(s subject) { s.odd("missing base") },
	func(s subject) { *s.files = (*s.files)[:0]; s.odd("test") },
	func(s subject) { s.odd("inline test") },
	func(s subject) { s.odd("broken") },
	func(s subject) { s.odd("many lines") },
	func(s subject) { s.odd("makefile") },
}

// label puts a label on, applied by someone of a role, "" for unknown.
func (s subject) label(name, association string) {
	l := Label{Name: name}
	if association != "" {
		l.ActorGitHubID, l.ActorAssociation = new("5550001"), &association
	}
	s.pull.Labels = append(s.pull.Labels, l)
}

// issue links an issue that counts, changed by change.
func (s subject) issue(change func(*LinkedIssue)) {
	closed := s.pull.CreatedAt.Add(3 * time.Hour)
	if s.pull.MergedAt != nil {
		closed = s.pull.MergedAt.Add(time.Minute)
	}
	i := LinkedIssue{
		Number: s.d.number(), Title: "The " + s.d.word(nouns) + " is not " + s.d.word(phrases), State: stateClosed, StateReason: new("COMPLETED"),
		AuthorGitHubID: new("5550002"), AuthorAssociation: new("NONE"), CreatedAt: new(s.pull.CreatedAt.Add(-50 * time.Hour)),
		ClosedAt: &closed, UpdatedAt: &closed, Labels: []Label{},
	}
	if change != nil {
		change(&i)
	}
	s.pull.LinkedIssues = append(s.pull.LinkedIssues, i)
}

// odd adds a file of a kind that the rules treat apart.
func (s subject) odd(kind string) {
	*s.files = append(*s.files, oddFiles[kind](s.d.rng, s.repo.languages[0]))
}

// githubIDOf is the author's id as text.
func githubIDOf(p *Pull) string {
	switch id := p.AuthorGitHubID.(type) {
	case string:
		return id
	case json.Number:
		return id.String()
	}
	return ""
}

// extra is a pull request on top of a miner's part: one that loading drops,
// or whose files are never asked for.
type extra struct {
	uid, repo int
	change    func(*Pull)
}

// extras are one of each kind.
//
//nolint:gochecknoglobals // a table
var extras = []extra{
	{3, skiff, func(p *Pull) { p.ScoringDataStored = false }},
	{83, archive, func(p *Pull) { p.ScoringDataStored = false }}, // with a fixed base score
	{uidMaintainer, lantern, func(p *Pull) { p.AuthorAssociation = new("MEMBER") }},
	{uidMaintainer, lantern, func(p *Pull) { p.AuthorAssociation = new("COLLABORATOR") }},
	{7, lantern, func(p *Pull) { p.MergedAt = nil }},
	{12, canvas, func(p *Pull) { // merged by its own author, logins spelled differently
		p.MergedByLogin, p.ReviewSummary.Approved = new("CY-Mooring"), 0
	}},
	{12, canvas, func(p *Pull) { p.BaseRef = new("release/2.4") }}, // acceptable
	{18, ferry, func(p *Pull) { p.BaseRef = new("experiment") }},
	{18, ferry, func(p *Pull) { p.BaseRef = nil }},
	{31, skiff, func(p *Pull) { p.HeadRef, p.HeadRepoFullName = new("main"), new("harborline/skiff") }},
	{90, lantern, func(p *Pull) { p.State = "DRAFT" }},
	{104, skiff, func(p *Pull) { // before every window
		p.CreatedAt, p.MergedAt = p.CreatedAt.AddDate(0, 0, -60), new(p.MergedAt.AddDate(0, 0, -60))
	}},
}
