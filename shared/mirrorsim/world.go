package mirrorsim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// ErrUnknown says that a world has no such pull request: the mirror's 404.
var ErrUnknown = errors.New("mirrorsim: unknown pull request")

// World is everything that a simulated mirror knows, with the two files that
// a round over it needs.
type World struct {
	Name   string
	AsOf   time.Time // the instant that the world stands still at
	Miners []input.Miner
	// Registry is the registry file as it is written.
	Registry json.RawMessage
	// Fails says which requests fail, by request key, when the server starts.
	Fails map[string]Failure

	pulls, issues, openIssues map[string][]item          // by GitHub id
	files                     map[string]json.RawMessage // answers by FilesKey
	readFiles                 func(ctx context.Context, key string) (Files, error)
	maintainers               map[string][]json.RawMessage // by lower-cased repository
	// asListed: lists are served whole and in the order that they have, even
	// when a client pages. See Case.
	asListed bool
	closing  func() error
}

// item is one element of a miner's list: its bytes as they are sent, and
// what paging and windows look at.
type item struct {
	raw     json.RawMessage
	repo    string // lower-cased
	number  int
	created time.Time
	instant time.Time // what a window is compared with
}

// Failure is a request that fails a number of times.
type Failure struct {
	Times int // negative: for good
	Fault Fault
}

// NewWorld returns an empty world with an empty registry.
func NewWorld(name string, asOf time.Time) *World {
	w := &World{
		Name:        name,
		AsOf:        asOf.UTC(),
		Registry:    json.RawMessage("{}\n"),
		Fails:       map[string]Failure{},
		pulls:       map[string][]item{},
		issues:      map[string][]item{},
		openIssues:  map[string][]item{},
		maintainers: map[string][]json.RawMessage{},
		files:       map[string]json.RawMessage{},
	}
	return w
}

// FailWith gives every failure of the world another fault. A 400 is final: it
// costs nobody the time of trying again.
func (w *World) FailWith(fault Fault) error {
	if err := fault.check(); err != nil {
		return err
	}
	for key, failure := range w.Fails {
		failure.Fault = fault
		w.Fails[key] = failure
	}
	return nil
}

// AddPull puts a pull request into its author's list. Its window is that of
// its merge, or of its creation when it was never merged.
func (w *World) AddPull(githubID string, p Pull) {
	instant := p.CreatedAt
	if p.MergedAt != nil {
		instant = *p.MergedAt
	}
	w.pulls[githubID] = append(w.pulls[githubID], item{
		raw:     encode(p),
		repo:    strings.ToLower(p.RepoFullName),
		number:  p.Number,
		created: p.CreatedAt,
		instant: instant,
	})
}

// AddRawPull puts bytes into a miner's list as they are: a malformed item. It
// is inside every window that reaches back to created. Tests build their worlds with
// it, and with AddIssue and AddFiles.
func (w *World) AddRawPull(githubID, repo string, number int, created time.Time, raw []byte) {
	w.pulls[githubID] = append(w.pulls[githubID], item{
		raw:     raw,
		repo:    strings.ToLower(repo),
		number:  number,
		created: created,
		instant: created,
	})
}

// AddIssue puts an issue into its author's list, and into the open ones when
// it is open. An open issue's window is that of its creation, another's that
// of its closing; one that does not say is in no window. The issues of nobody are
// those of "": no miner's list has them.
func (w *World) AddIssue(githubID string, i Issue) {
	it := item{raw: encode(i), repo: strings.ToLower(i.RepoFullName), number: i.Number}
	if i.CreatedAt != nil {
		it.created, it.instant = *i.CreatedAt, *i.CreatedAt
	}
	if i.State != string(scoring.Open) {
		it.instant = time.Time{}
		if i.ClosedAt != nil {
			it.instant = *i.ClosedAt
		}
	}
	w.addIssue(githubID, it, i.State == string(scoring.Open))
}

// AddRawIssue puts bytes into a miner's lists as they are: a malformed item. It is
// inside every window of its repository that reaches back to created.
func (w *World) AddRawIssue(githubID, repo string, number int, open bool, created time.Time, raw []byte) {
	w.addIssue(githubID, item{
		raw:     raw,
		repo:    strings.ToLower(repo),
		number:  number,
		created: created,
		instant: created,
	}, open)
}

func (w *World) addIssue(githubID string, it item, open bool) {
	w.issues[githubID] = append(w.issues[githubID], it)
	if open {
		w.openIssues[githubID] = append(w.openIssues[githubID], it)
	}
}

// AddFiles sets the files answer of a pull request.
func (w *World) AddFiles(f Files) {
	w.files[FilesKey(f.RepoFullName, f.Number)] = encode(f)
}

// ReadFiles has the files answers that AddFiles did not set read when they are asked
// for, by a pull request's key (see FilesKey): read says ErrUnknown of one that it does
// not know. end is what Close calls.
func (w *World) ReadFiles(read func(ctx context.Context, key string) (Files, error), end func() error) {
	w.readFiles, w.closing = read, end
}

// filesOf is a pull request's files answer, encoded, or ErrUnknown.
func (w *World) filesOf(ctx context.Context, key string) (json.RawMessage, error) {
	if raw, ok := w.files[key]; ok {
		return raw, nil
	}
	if w.readFiles == nil {
		return nil, fmt.Errorf("%w %s", ErrUnknown, key)
	}
	files, err := w.readFiles(ctx, key)
	if err != nil {
		return nil, err
	}
	return encode(files), nil
}

// Size is the number of pull requests in all lists.
func (w *World) Size() int {
	n := 0
	for _, list := range w.pulls {
		n += len(list)
	}
	return n
}

// Close ends what the world reads files from, if it does (ReadFiles).
func (w *World) Close() error {
	if w.closing == nil {
		return nil
	}
	return w.closing()
}

// Write puts the miners file and the registry file into dir, which it makes
// if need be, and returns their paths.
func (w *World) Write(dir string) (miners, registry string, err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", "", fmt.Errorf("world folder: %w", err)
	}
	list, err := json.MarshalIndent(w.Miners, "", "  ")
	if err != nil {
		return "", "", fmt.Errorf("encoding miners: %w", err)
	}
	miners, registry = filepath.Join(dir, "miners.json"), filepath.Join(dir, "master_repositories.json")
	if err := os.WriteFile(miners, append(list, '\n'), 0o600); err != nil {
		return "", "", fmt.Errorf("miners file: %w", err)
	}
	if err := os.WriteFile(registry, w.Registry, 0o600); err != nil {
		return "", "", fmt.Errorf("registry file: %w", err)
	}
	return miners, registry, nil
}

// FilesKey names a pull request as request keys do: owner/repo#7, in lower
// case because repository names compare so.
func FilesKey(repo string, number int) string {
	return fmt.Sprintf("%s#%d", strings.ToLower(repo), number)
}

// encode is JSON as the mirror writes it: no HTML escapes, no line break. The
// shapes of this package cannot fail to encode.
func encode(v any) json.RawMessage {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return json.RawMessage("null")
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

// Before is the world without the pull requests and issues that were merged, closed or, if
// neither, created after an instant: what its mirror may have said then. It reads files as
// the world does, and only one of the two is closed.
func (w *World) Before(at time.Time) *World {
	earlier := *w
	until := func(lists map[string][]item) map[string][]item {
		kept := map[string][]item{}
		for id, items := range lists {
			kept[id] = slices.DeleteFunc(slices.Clone(items), func(it item) bool { return it.last().After(at) })
		}
		return kept
	}
	earlier.pulls = until(w.pulls)
	earlier.issues = until(w.issues)
	earlier.openIssues = until(w.openIssues)
	return &earlier
}

// last is when an item was merged, closed or created. The lists of a case have it in their
// bytes alone.
func (it item) last() time.Time {
	if !it.instant.IsZero() {
		return it.instant
	}
	var at struct {
		Merged  json.RawMessage `json:"merged_at"`
		Closed  json.RawMessage `json:"closed_at"`
		Created json.RawMessage `json:"created_at"`
	}
	_ = json.Unmarshal(it.raw, &at) // a malformed item was always there
	for _, raw := range []json.RawMessage{at.Merged, at.Closed, at.Created} {
		if instant, known := date(raw); known {
			return instant
		}
	}
	return time.Time{}
}
