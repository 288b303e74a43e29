package outcome

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"mirrorfleet/shared/bounded"
	"mirrorfleet/shared/job"
)

// Group is the failed miners whose failures differ only in names and numbers: class, route,
// status and words are the same.
type Group struct {
	// Key names the group. It is made of what the failures have in common, so it is the
	// same for every reader and after every replay, and never comes to mean another group.
	Key   string    `json:"key"`
	Class job.Class `json:"class"`
	// Text is what the errors have in common, in at most 200 characters.
	Text string `json:"text"`
	// UIDs are the group's miners, in order.
	UIDs []int `json:"uids"`

	digest string // all of what Key is the beginning of
}

// Bounds of a group's text and of its key, in characters. Only the beginning of an error is
// read, so that a long answer cannot make this slow.
const (
	maxRead   = 4 << 10
	maxCommon = 200
	minKey    = 4
)

// Groups groups failed miners, the largest group first. It depends on nothing else.
func Groups(list []Failed) []Group {
	byDigest := map[string]*Group{}
	for _, one := range list {
		text := common(one)
		digest := digestOf(one.Class, text)
		g := byDigest[digest]
		if g == nil {
			g = &Group{Class: one.Class, Text: text, digest: digest}
			byDigest[digest] = g
		}
		g.UIDs = append(g.UIDs, one.UID)
	}
	groups := make([]Group, 0, len(byDigest))
	for _, g := range byDigest {
		slices.Sort(g.UIDs)
		groups = append(groups, *g)
	}
	slices.SortFunc(groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(len(b.UIDs), len(a.UIDs)), cmp.Compare(a.UIDs[0], b.UIDs[0]))
	})
	shortenKeys(groups)
	return groups
}

func digestOf(class job.Class, text string) string {
	sum := sha256.Sum256([]byte(string(class) + "\n" + text))
	return hex.EncodeToString(sum[:])
}

// shortenKeys gives each group the shortest beginning of its digest that no other has, as
// git does with commits. A longer one stays good.
func shortenKeys(groups []Group) {
	for length := minKey; ; length++ {
		seen := map[string]bool{}
		for i := range groups {
			groups[i].Key = groups[i].digest[:length]
			seen[groups[i].Key] = true
		}
		if len(seen) == len(groups) {
			return
		}
	}
}

// like finds the group of a key. A key that no group has, or more than one, is an error
// that lists the groups.
func like(groups []Group, key string) (Group, error) {
	var found []Group
	for _, g := range groups {
		if len(key) >= minKey && strings.HasPrefix(g.digest, key) {
			found = append(found, g)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return Group{}, fmt.Errorf("%w: no group of failures has the key %.80q; %s", ErrSelection, key, groupsText(groups))
	}
	return Group{}, fmt.Errorf("%w: more than one group of failures has a key that begins with %.80q; %s",
		ErrSelection, key, groupsText(groups))
}

// maxGroups bounds what an error lists.
const maxGroups = 20

// groupsText lists groups for an error.
func groupsText(groups []Group) string {
	names := make([]string, len(groups))
	for i, g := range groups {
		names[i] = fmt.Sprintf("%s (%s, miners: %d)", g.Key, g.Class, len(g.UIDs))
	}
	return thereAre(names, maxGroups)
}

// Like is the failures of one group, with that group.
func (f Failures) Like(key string) (list []Failed, g Group, err error) {
	if g, err = like(Groups(f.Ended), key); err != nil {
		return nil, g, err
	}
	for _, one := range f.Ended {
		if slices.Contains(g.UIDs, one.UID) {
			list = append(list, one)
		}
	}
	return list, g, nil
}

// common is what an error has in common with others of its kind. A degraded miner may lack
// several things of one kind: each kind appears once.
func common(one Failed) string {
	text := strings.ToValidUTF8(one.Error[:min(len(one.Error), maxRead)], "")
	lacks, degraded := strings.CutPrefix(text, "lacks ")
	if !degraded {
		return bounded.Line(withoutNames(text), maxCommon)
	}
	var kinds []string
	for thing := range strings.SplitSeq(lacks, "; ") {
		if kind := withoutNames(thing); !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	return bounded.Line("lacks "+strings.Join(kinds, "; "), maxCommon)
}

// The names and numbers in errors of the fleet, in the order in which they are taken out.
// A route keeps its words and loses its values (docs/rules/mirror.md). The number of a
// status stays: 404 and 500 are two causes.
//
//nolint:gochecknoglobals // a table
var names = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`/api/v1/miners/[^/\s]+`), "/miners/{github_id}"},
	{regexp.MustCompile(`/api/v1/pulls/[^/\s]+/[^/\s]+/[^/\s]+`), "/pulls/{owner}/{repo}/{number}"},
	{regexp.MustCompile(`/api/v1/repos/[^/\s]+/[^/\s]+`), "/repos/{owner}/{repo}"},
	{regexp.MustCompile(`/api/v1/`), "/"},
	{regexp.MustCompile(`[\w.-]+/[\w.-]+#\d+`), "{owner}/{repo}#{number}"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)?`), "{time}"},
	{regexp.MustCompile(`\b(\d+(\.\d+)?(h|ms|µs|ns|m|s))+\b`), "{duration}"},
	{regexp.MustCompile(`\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b`), "{address}"},
	{regexp.MustCompile(`\b[0-9a-zA-Z]*\d[0-9a-zA-Z]*\b`), "{n}"},
}

// status matches the status of an answer, which is a cause and not a name.
var status = regexp.MustCompile(`\bstatus \d{3}\b`)

// withoutNames removes from a text what differs between two failures of one cause, and what
// a terminal must not get.
func withoutNames(text string) string {
	text = bounded.Line(text, maxRead) // the text has fewer characters: nothing is cut yet
	var b strings.Builder
	at := 0
	for _, kept := range status.FindAllStringIndex(text, -1) {
		b.WriteString(replaced(text[at:kept[0]]))
		b.WriteString(text[kept[0]:kept[1]])
		at = kept[1]
	}
	b.WriteString(replaced(text[at:]))
	return b.String()
}

func replaced(text string) string {
	for _, name := range names {
		text = name.pattern.ReplaceAllLiteralString(text, name.instead)
	}
	return text
}
