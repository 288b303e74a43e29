package gitworld

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/scoring/input"
)

// The uids with a meaning of their own in the rules (docs/rules/scoring.md#rewards), and
// the size of a subnet.
const (
	recycleUID  = 0
	treasuryUID = 111
	maxMiners   = 256
)

// lookback of every repository, in days: the maximum that a registry may set.
const lookback = 90

// Config is what a world is made from.
type Config struct {
	// Dirs are work trees or bare repositories; at least one.
	Dirs []string
	// Pulls is how many pull requests of each repository are taken, the
	// latest ones; 400 by default.
	Pulls int
	// KeepDates keeps all dates. Otherwise the dates of a repository whose pull requests
	// do not fit into the lookback are moved, in proportion, until they do.
	KeepDates bool
}

// changes are the pull requests by their keys (see mirrorsim.FilesKey): their texts are
// read when they are asked for.
type changes map[string]change

type change struct {
	repo *repository
	pull *pullRequest
}

// New makes a world of the pull requests in git histories: squash commits whose title ends
// in (#N), and merge commits "Merge pull request #N".
//
// The miners are the authors (of a merge: the author of the merged branch's last commit),
// the most active first, with uids from 1, and the recycle and treasury uids without an
// account. Data that git does not have is set so that pull requests count: base branch
// main, an author without a role, one approval. The instant as_of is an hour after the
// newest pull request.
//
// New runs the git command, and keeps one process for each repository from which a text
// was read: Close the world.
func New(ctx context.Context, cfg Config) (*mirrorsim.World, error) {
	if len(cfg.Dirs) == 0 {
		return nil, errors.New("git world: no directory, want at least one git repository")
	}
	if cfg.Pulls < 0 {
		return nil, fmt.Errorf("git world: %d pull requests a repository, want more than 0", cfg.Pulls)
	}
	repos := make([]*repository, 0, len(cfg.Dirs))
	for _, dir := range cfg.Dirs {
		repo, err := openRepository(ctx, dir, cmp.Or(cfg.Pulls, 400))
		repos = append(repos, repo)
		if err != nil {
			return nil, fmt.Errorf("git world: %w", errors.Join(err, closeAll(repos)))
		}
	}
	distinctNames(repos)
	w := mirrorsim.NewWorld("git", newest(repos).Add(time.Hour))
	w.Registry = registryOf(repos)
	w.Miners = minersOf(repos)
	listed := map[string]bool{}
	for _, m := range w.Miners {
		listed[m.GitHubID] = true
	}
	all := changes{}
	for _, repo := range repos {
		if !cfg.KeepDates {
			repo.fitDates(w.AsOf)
		}
		for i := range repo.pulls {
			pull := &repo.pulls[i]
			all[mirrorsim.FilesKey(repo.name, pull.number)] = change{repo, pull}
			if listed[pull.authorID] {
				w.AddPull(pull.authorID, pull.wire(repo.name, w.AsOf))
			}
		}
	}
	w.ReadFiles(all.read, func() error { return closeAll(repos) })
	return w, nil
}

// read reads the texts from git at every request, so that memory has single answers and
// not a history.
func (c changes) read(ctx context.Context, key string) (mirrorsim.Files, error) {
	change, known := c[key]
	if !known {
		return mirrorsim.Files{}, fmt.Errorf("%w %s", mirrorsim.ErrUnknown, key)
	}
	return change.repo.filesOf(ctx, change.pull)
}

// distinctNames numbers repositories with the same name: two directories may be clones of
// one repository.
func distinctNames(repos []*repository) {
	seen := map[string]int{}
	for _, repo := range repos {
		seen[repo.name]++
		if n := seen[repo.name]; n > 1 {
			repo.name = fmt.Sprintf("%s-%d", repo.name, n)
		}
	}
}

// newest is the last merge of all.
func newest(repos []*repository) time.Time {
	var at time.Time
	for _, repo := range repos {
		for _, pull := range repo.pulls {
			if pull.mergedAt.After(at) {
				at = pull.mergedAt
			}
		}
	}
	return at
}

// registryOf gives every repository an equal share. Nothing goes to issues: git has none.
func registryOf(repos []*repository) json.RawMessage {
	type settings struct {
		EmissionShare       float64        `json:"emission_share"`
		IssueDiscoveryShare float64        `json:"issue_discovery_share"`
		Branches            []string       `json:"additional_acceptable_branches"`
		Scoring             map[string]int `json:"scoring"`
	}
	// Rounded down, because a registry whose shares add up to more than 1 is refused.
	equal := math.Floor(1e6/float64(len(repos))) / 1e6
	registry := map[string]settings{}
	for _, repo := range repos {
		registry[repo.name] = settings{equal, 0, []string{}, map[string]int{"pr_lookback_days": lookback}}
	}
	return indent(registry)
}

// minersOf lists the authors by number of pull requests, then by id.
func minersOf(repos []*repository) []input.Miner {
	active := map[string]int{}
	for _, repo := range repos {
		for _, pull := range repo.pulls {
			active[pull.authorID]++
		}
	}
	authors := slices.SortedFunc(maps.Keys(active), func(a, b string) int {
		return cmp.Or(cmp.Compare(active[b], active[a]), cmp.Compare(a, b))
	})
	miners := []input.Miner{
		{UID: recycleUID, Hotkey: hotkey(recycleUID), Token: input.TokenNone},
		{UID: treasuryUID, Hotkey: hotkey(treasuryUID), Token: input.TokenNone},
	}
	uid := 0
	for _, author := range authors[:min(len(authors), maxMiners-len(miners))] {
		if uid++; uid == treasuryUID {
			uid++
		}
		miners = append(miners, input.Miner{
			UID:      uid,
			Hotkey:   hotkey(uid),
			GitHubID: author,
			Token:    input.TokenValid,
		})
	}
	slices.SortFunc(miners, func(a, b input.Miner) int { return cmp.Compare(a.UID, b.UID) })
	return miners
}

// hotkey is a made-up hotkey; a uid has the same one in every world.
func hotkey(uid int) string { return fmt.Sprintf("hk-%03d", uid) }

// indent is JSON for people; the values of this package cannot fail to encode.
func indent(v any) json.RawMessage {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return json.RawMessage("{}\n")
	}
	return append(data, '\n')
}
