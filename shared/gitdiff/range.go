package gitdiff

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// maxRevision bounds the name of a commit; git's own bound for a reference is smaller.
const maxRevision = 512

// Range is what a pull request from head to base would be made of.
type Range struct {
	// Base and Head are the commits that were named; MergeBase is where Head left Base.
	Base, Head, MergeBase string
	// Commits are those of Head that Base lacks.
	Commits int
}

// Range reads BASE..HEAD. Both ends are anything that git takes for a commit; an end that
// is left out is HEAD. As for a pull request, what Base has got since Head left it does
// not count, so that two and three dots mean the same.
func (r *Repository) Range(ctx context.Context, text string) (Range, error) {
	base, head, found := strings.Cut(text, "..")
	head = strings.TrimPrefix(head, ".")
	if !found || base == "" && head == "" {
		return Range{}, mendable("range %q: want BASE..HEAD, such as origin/main..HEAD", text)
	}
	var got Range
	var err error
	if got.Base, err = r.commit(ctx, base); err != nil {
		return Range{}, err
	}
	if got.Head, err = r.commit(ctx, head); err != nil {
		return Range{}, err
	}
	return got, r.measure(ctx, text, &got)
}

// commit finds a commit by a name that a stranger may have given.
func (r *Repository) commit(ctx context.Context, name string) (string, error) {
	if name == "" {
		name = "HEAD"
	}
	if len(name) > maxRevision || strings.HasPrefix(name, "-") || strings.ContainsFunc(name, unicode.IsControl) {
		return "", mendable("%.80q is no name of a commit", name)
	}
	id, err := r.name(ctx, name)
	switch {
	case id != "" || ctx.Err() != nil:
		return id, err
	case r.shallow:
		return "", mendable("%s has no commit %q: it is a shallow clone, so fetch more of its history (git fetch --unshallow)", r.dir, name)
	}
	return "", mendable("%s has no commit %q: git branch --all lists the branches that it has, git fetch gets what is new", r.dir, name)
}

// isID says whether a text is an object's name in full, of SHA-1 or SHA-256.
func isID(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

// measure finds the common base of a range's ends, and what lies between.
func (r *Repository) measure(ctx context.Context, text string, found *Range) error {
	out, err := r.Git(ctx, nil, "merge-base", found.Base, found.Head)
	if ctx.Err() != nil {
		return err
	}
	// Of several common bases git names one first, and so does GitHub.
	found.MergeBase, _, _ = strings.Cut(string(out), "\n")
	switch {
	case (err != nil || !isID(found.MergeBase)) && r.shallow:
		return mendable("range %s: its ends have no common base here: %s is a shallow clone, so fetch more of its history "+
			"(git fetch --unshallow)", text, r.dir)
	case err != nil || !isID(found.MergeBase):
		return mendable("range %s: its ends have no common base, so there is no pull request from one to the other", text)
	case found.MergeBase == found.Head:
		return mendable("range %s has no commit: everything of its head is in its base already (the order is BASE..HEAD)", text)
	}
	out, err = r.Git(ctx, nil, "rev-list", "--count", found.Head, "^"+found.Base, "--")
	if err != nil {
		return err
	}
	if found.Commits, err = strconv.Atoi(strings.TrimSpace(string(out))); err != nil {
		return fmt.Errorf("counting the commits of %s: %w", text, err)
	}
	return nil
}
