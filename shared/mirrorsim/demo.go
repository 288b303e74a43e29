package mirrorsim

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"mirrorfleet/shared/scoring"
)

// demoAsOf is the demo's instant: a constant, so that a seed's outcome is the
// same on every day.
//
//nolint:gochecknoglobals // a constant but for its type
var demoAsOf = time.Date(2026, time.August, 1, 12, 0, 0, 0, time.UTC)

// demo is a demo world while it is being made up. Everything that is drawn is
// drawn from one generator in one order.
type demo struct {
	rng    *rand.Rand
	world  *World
	last   int // the last number given to a pull request or an issue
	merged []solvable
}

// solvable is a merged pull request that an issue may name as its solver.
type solvable struct {
	repo   int
	author castMember
	pull   Pull
}

// Demo makes the demo world of a seed: 24 miners, 6 repositories and some 190
// requests for a round, with a case of every rule. Two miners fail by rule
// beside the recycle uid, and one's list fails four times before it heals.
func Demo(seed uint64) *World {
	d := &demo{rng: rand.New(rand.NewPCG(seed, 0x64656d6f)), world: NewWorld("demo", demoAsOf), last: 100}
	d.world.Registry = d.registry()
	for _, m := range cast {
		d.world.Miners = append(d.world.Miners, scoring.Miner{UID: m.uid, Hotkey: hotkey(m.uid), GitHubID: m.id(), Token: m.token})
	}
	for _, m := range cast {
		for _, p := range m.parts {
			d.pulls(m, p)
		}
	}
	for _, e := range extras {
		d.extra(e)
	}
	d.malformed()
	d.issues()
	d.roles()
	healing := member(uidHealing)
	d.world.Fails["pulls:"+healing.id()] = Failure{Times: 4, Fault: "500"}
	return d.world
}

// id is a member's GitHub id; the recycle uid has none.
func (m castMember) id() string {
	if m.login == "" {
		return ""
	}
	return strconv.Itoa(40_000_000 + m.uid*10_007)
}

// member is the cast member with a uid, which is in the table.
func member(uid int) castMember {
	return cast[slices.IndexFunc(cast, func(m castMember) bool { return m.uid == uid })]
}

// registry is the registry file; encoding/json sorts the repositories.
func (d *demo) registry() json.RawMessage {
	registry := map[string]json.RawMessage{}
	for _, repo := range demoRepos {
		registry[repo.name] = repo.settings
	}
	return indent(registry)
}

// number is the next number of a pull request or an issue: one count for all
// repositories, so that no two share a number by chance.
func (d *demo) number() int { d.last++; return d.last }

// word draws one of words.
func (d *demo) word(words []string) string { return words[d.rng.IntN(len(words))] }

// sha is a commit's name that no commit has.
func (d *demo) sha() string {
	return fmt.Sprintf("%016x%016x%08x", d.rng.Uint64(), d.rng.Uint64(), d.rng.Uint32())
}

// pulls makes what a miner has in one repository.
func (d *demo) pulls(m castMember, p part) {
	for _, states := range []struct {
		state scoring.State
		n     int
	}{{scoring.Merged, p.merged}, {scoring.Open, p.open}, {scoring.Closed, p.closed}} {
		for range states.n {
			pull := d.pull(m, p.repo, states.state)
			files := ordinaryFiles(d.rng, demoRepos[p.repo].languages)
			if states.state == scoring.Merged {
				// Two in five have a trait: enough for each to come up.
				if n := len(d.merged); n%5 == 1 || n%5 == 3 {
					traits[n*2/5%len(traits)](subject{d, &pull, &files, demoRepos[p.repo]})
				}
				d.merged = append(d.merged, solvable{p.repo, m, pull})
			}
			d.add(m.id(), pull, files)
		}
	}
}

// add puts a pull request and its files into the world.
func (d *demo) add(id string, pull Pull, files []File) {
	pull.Additions, pull.Deletions = 0, 0
	for _, f := range files {
		pull.Additions += f.Additions
		pull.Deletions += f.Deletions
	}
	if id != "" {
		d.world.AddPull(id, pull)
	}
	d.world.AddFiles(Files{
		RepoFullName: pull.RepoFullName, Number: pull.Number, HeadSHA: pull.HeadSHA, BaseSHA: pull.BaseSHA,
		MergeBaseSHA: pull.MergeBaseSHA, ScoringDataStored: pull.ScoringDataStored, Files: files,
	})
}

// pull is an ordinary pull request of a state: merged by somebody else, from
// a fork, into main.
func (d *demo) pull(m castMember, repo int, state scoring.State) Pull {
	noun, phrase := d.word(nouns), d.word(phrases)
	oldest := 24 * 24 // hours: well inside the default lookback of 30 days
	if repo == ferry {
		oldest = 40 * 24 // its lookback is 45
	}
	ended := demoAsOf.Add(-time.Duration(1+d.rng.IntN(oldest)) * time.Hour)
	p := Pull{
		RepoFullName: demoRepos[repo].name, Number: d.number(), Title: fmt.Sprintf("Make the %s %s", noun, phrase),
		Body: new("The " + noun + " was not " + phrase + " when it rained."), State: string(state),
		AuthorGitHubID: m.id(), AuthorLogin: m.login, AuthorAssociation: new("CONTRIBUTOR"),
		CreatedAt: ended.Add(-time.Duration(2+d.rng.IntN(60)) * time.Hour),
		BaseRef:   new("main"), DefaultBranch: new("main"), HeadRef: new(noun + "-" + phrase), HeadRepoFullName: new(m.login + "/fork"),
		HeadSHA: new(d.sha()), BaseSHA: new(d.sha()), MergeBaseSHA: new(d.sha()), CommitsCount: 1 + d.rng.IntN(5),
		ScoringDataStored: true,
		ReviewSummary:     ReviewSummary{Approved: d.rng.IntN(3), Commented: d.rng.IntN(4)},
		Labels:            []Label{}, LinkedIssues: []LinkedIssue{},
	}
	if d.rng.IntN(4) == 0 { // the mirror sends ids as numbers at times
		p.AuthorGitHubID = json.Number(m.id())
	}
	switch state {
	case scoring.Open:
	case scoring.Merged:
		p.MergedAt, p.ClosedAt, p.MergedByLogin = &ended, &ended, new("harbour-master")
		p.HoursSinceMerge = new(demoAsOf.Sub(ended).Hours())
	case scoring.Closed:
		p.ClosedAt = &ended
	}
	return p
}

// extra makes a merged pull request that its change turns into a case.
func (d *demo) extra(e extra) {
	m := member(e.uid)
	pull := d.pull(m, e.repo, scoring.Merged)
	files := ordinaryFiles(d.rng, demoRepos[e.repo].languages)
	e.change(&pull)
	d.add(m.id(), pull, files)
}

// malformed puts one item into a list that no client can read.
func (d *demo) malformed() {
	m := member(104)
	created := demoAsOf.AddDate(0, 0, -3)
	d.world.AddRawPull(m.id(), demoRepos[canvas].name, 0, created, []byte(
		`{"repo_full_name": "quillworks/Canvas", "pr_number": null, "title": "<none>", "state": "MERGED", "created_at": "the day before"}`))
}

// roles sets who maintains what: strangers, and one miner.
func (d *demo) roles() {
	m := member(uidMaintainer)
	d.world.AddMaintainer(demoRepos[lantern].name, Maintainer{json.Number("5550001"), "harbour-master", "OWNER"})
	d.world.AddMaintainer(demoRepos[lantern].name, Maintainer{m.id(), m.login, "MEMBER"})
	d.world.AddMaintainer(demoRepos[ferry].name, Maintainer{"5550003", "ferry-bot", "COLLABORATOR"}) // no miner: no cut
}
