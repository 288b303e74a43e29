package gitworld

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"mirrorfleet/shared/gitdiff"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/scoring"
)

// repository is one repository of a git world.
type repository struct {
	dir   string
	name  string // owner/repo
	git   *gitdiff.Repository
	pulls []pullRequest
}

// pullRequest is one pull request, reconstructed from its history.
type pullRequest struct {
	number      int
	title       string
	authorID    string
	authorLogin string
	mergedBy    string // "" when git does not say
	headRef     string
	headRepo    string
	merge       bool
	head, base  string // commits: the state after it and before it
	commits     int
	additions   int
	deletions   int
	createdAt   time.Time
	mergedAt    time.Time
}

// logFormat is one commit, with the separator U+001F between fields: no text of a commit
// has it in practice.
const logFormat = "%H%x1f%P%x1f%aN%x1f%aE%x1f%at%x1f%cN%x1f%cE%x1f%ct%x1f%s%x1f%b"

var (
	squashTitle = regexp.MustCompile(`^(.*\S)\s*\(#(\d+)\)$`)
	mergeTitle  = regexp.MustCompile(`^Merge pull request #(\d+) from (\S+)`)
	noreply     = regexp.MustCompile(`^(\d+)\+(\S+)@users\.noreply\.github\.com$`)
	remoteName  = regexp.MustCompile(`[:/]([A-Za-z0-9._-]+)/([A-Za-z0-9._-]+?)(?:\.git)?/?$`)
	notInName   = regexp.MustCompile(`[^A-Za-z0-9._-]+`)
	notInLogin  = regexp.MustCompile(`[^a-z0-9]+`)
)

// githubItself is the committer of merges in GitHub's web pages. It does not say who
// merged.
const githubItself = "noreply@github.com"

// openRepository reads a history's latest pull requests, newest first. Close what it
// returns, even with an error.
func openRepository(ctx context.Context, dir string, limit int) (*repository, error) {
	repo := &repository{dir: dir}
	var err error
	if repo.git, err = gitdiff.Open(ctx, dir); err != nil {
		return repo, err
	}
	if _, err := repo.git.Git(ctx, nil, "rev-parse", "--verify", "--quiet", "HEAD^{commit}"); err != nil {
		return repo, fmt.Errorf("%s is no git repository with a commit: %w", dir, err)
	}
	repo.name = repo.readName(ctx)
	out, err := repo.git.Git(ctx, nil, "log", "-z", "--format="+logFormat, "HEAD", "--")
	if err != nil {
		return repo, err
	}
	repo.pulls = parseLog(out, limit)
	if len(repo.pulls) == 0 {
		return repo, fmt.Errorf("%s has no pull requests: no commit of HEAD is titled %q or %q",
			dir, "… (#N)", "Merge pull request #N from …")
	}
	return repo, repo.countLines(ctx)
}

// closeAll ends the processes of all repositories.
func closeAll(repos []*repository) error {
	var errs []error
	for _, r := range repos {
		if r.git != nil {
			errs = append(errs, r.git.Close())
		}
	}
	return errors.Join(errs...)
}

// readName is owner/repo of the remote origin, or of the folder when there is no remote.
func (r *repository) readName(ctx context.Context) string {
	if m := remoteName.FindStringSubmatch(r.git.Origin(ctx)); m != nil {
		return m[1] + "/" + m[2]
	}
	path, err := filepath.Abs(r.dir)
	if err != nil {
		path = r.dir
	}
	path = strings.TrimSuffix(strings.TrimSuffix(path, "/.git"), ".git")
	owner, name := filepath.Base(filepath.Dir(path)), filepath.Base(path)
	clean := func(s string) string { return strings.Trim(notInName.ReplaceAllString(s, "-"), "-") }
	return cmp.Or(clean(owner), "local") + "/" + cmp.Or(clean(name), "repo")
}

// parseLog finds the pull requests in a log, at most limit of them. The log is newest
// first. When a number is repeated (a cherry-pick, a merge of its own squash), the newest
// commit counts.
func parseLog(log []byte, limit int) []pullRequest {
	var pulls []pullRequest
	numbers := map[int]bool{}
	branches := map[string]int{} // last commit of a merged branch → its pull request
	for record := range strings.SplitSeq(string(log), "\x00") {
		fields := strings.Split(strings.TrimLeft(record, "\n"), "\x1f")
		if len(fields) != 10 {
			continue
		}
		if at, merged := branches[fields[0]]; merged {
			pulls[at].author(fields)
		}
		pull, found := parseCommit(fields)
		if !found || numbers[pull.number] || len(pulls) >= limit {
			continue
		}
		numbers[pull.number] = true
		if pull.merge {
			branches[strings.Fields(fields[1])[1]] = len(pulls)
		}
		pulls = append(pulls, pull)
	}
	return pulls
}

// parseCommit reads a commit as a pull request, if it is one. A commit without a parent is
// none: there is nothing to compare it with.
func parseCommit(fields []string) (pullRequest, bool) {
	parents := strings.Fields(fields[1])
	if len(parents) == 0 {
		return pullRequest{}, false
	}
	title, body := fields[8], strings.TrimSpace(fields[9])
	pull := pullRequest{
		head:     fields[0],
		base:     parents[0],
		commits:  1,
		mergedAt: unix(fields[7]),
	}
	number := ""
	if m := mergeTitle.FindStringSubmatch(title); m != nil && len(parents) == 2 {
		number, pull.merge = m[1], true
		pull.title, _, _ = strings.Cut(cmp.Or(body, title), "\n")
		owner, branch, _ := strings.Cut(m[2], "/")
		pull.headRepo, pull.headRef = owner, branch
		pull.mergedBy = login(fields[2], fields[3])
	} else if m := squashTitle.FindStringSubmatch(title); m != nil {
		pull.title, number = m[1], m[2]
		if fields[6] != githubItself {
			pull.mergedBy = login(fields[5], fields[6])
		}
	}
	pull.number, _ = strconv.Atoi(number)
	pull.author(fields)
	return pull, pull.number > 0
}

// author sets the pull request's author to that of a commit. For a merge it is called
// again with the last commit of the branch, whose author opened it.
func (p *pullRequest) author(fields []string) {
	p.authorID, p.authorLogin = githubID(fields[3]), login(fields[2], fields[3])
	p.createdAt = unix(fields[4])
	if p.createdAt.After(p.mergedAt) { // the clocks of authors may be wrong
		p.createdAt = p.mergedAt
	}
}

// githubID is the account's number where the address has it, else a number derived from
// the address. It is above 10^9, so it is no real account's of today.
func githubID(email string) string {
	email = strings.ToLower(email)
	if m := noreply.FindStringSubmatch(email); m != nil {
		return m[1]
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(email)) // never fails
	return strconv.FormatInt(1_000_000_000+int64(h.Sum32()), 10)
}

// login is the account's name where the address has it, else one derived from the
// author's name. The rule about self-merges compares logins.
func login(name, email string) string {
	if m := noreply.FindStringSubmatch(strings.ToLower(email)); m != nil {
		return m[2]
	}
	slug := strings.Trim(notInLogin.ReplaceAllString(strings.ToLower(name), "-"), "-")
	user, _, _ := strings.Cut(email, "@")
	return cmp.Or(slug, user)
}

// unix reads seconds as git prints them.
func unix(seconds string) time.Time {
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

// fitDates moves the dates of a repository whose oldest pull request is outside the
// lookback. The time from the oldest to the newest merge is scaled to the time from a day
// after the lookback's start to an hour before asOf, so the order and the proportions stay.
func (r *repository) fitDates(asOf time.Time) {
	oldest, latest := r.pulls[0].mergedAt, r.pulls[0].mergedAt
	for _, p := range r.pulls {
		if p.mergedAt.Before(oldest) {
			oldest = p.mergedAt
		}
		if p.mergedAt.After(latest) {
			latest = p.mergedAt
		}
	}
	start, end := asOf.AddDate(0, 0, 1-lookback), asOf.Add(-time.Hour)
	if oldest.After(start) {
		return
	}
	scale := 0.0
	if span := latest.Sub(oldest); span > 0 {
		scale = float64(end.Sub(start)) / float64(span)
	}
	for i := range r.pulls {
		p := &r.pulls[i]
		took := p.mergedAt.Sub(p.createdAt)
		p.mergedAt = end.Add(-time.Duration(float64(latest.Sub(p.mergedAt)) * scale)).Truncate(time.Second)
		p.createdAt = p.mergedAt.Add(-time.Duration(float64(took) * scale)).Truncate(time.Second)
	}
}

// wire is the pull request as the mirror would list it.
func (p *pullRequest) wire(repo string, asOf time.Time) mirrorsim.Pull {
	out := mirrorsim.Pull{
		RepoFullName:      repo,
		Number:            p.number,
		Title:             p.title,
		State:             string(scoring.Merged),
		AuthorGitHubID:    p.authorID,
		AuthorLogin:       p.authorLogin,
		AuthorAssociation: new("CONTRIBUTOR"),
		CreatedAt:         p.createdAt,
		ClosedAt:          &p.mergedAt,
		MergedAt:          &p.mergedAt,
		HoursSinceMerge:   new(asOf.Sub(p.mergedAt).Hours()),
		BaseRef:           new("main"),
		DefaultBranch:     new("main"),
		HeadSHA:           &p.head,
		BaseSHA:           &p.base,
		Additions:         p.additions,
		Deletions:         p.deletions,
		CommitsCount:      p.commits,
		ScoringDataStored: true,
		ReviewSummary:     mirrorsim.ReviewSummary{Approved: 1},
		Labels:            []json.RawMessage{},
		LinkedIssues:      []json.RawMessage{},
	}
	if p.mergedBy != "" {
		out.MergedByLogin = &p.mergedBy
	}
	if p.headRef != "" {
		_, name, _ := strings.Cut(repo, "/")
		out.HeadRef, out.HeadRepoFullName = &p.headRef, new(p.headRepo+"/"+name)
	}
	out.MergeBaseSHA = p.mergeBase()
	return out
}

// mergeBase is the parent of a squash. It is nil for a merge, which is compared with its
// first parent (base_sha): that is the change that it made.
func (p *pullRequest) mergeBase() *string {
	if p.merge {
		return nil
	}
	return &p.base
}
