package gitdiff

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"mirrorfleet/shared/scoring/tokens"
)

// maxContent is the size, in bytes, above which the mirror sends null for a text:
// docs/rules/mirror.md#sizes.
const maxContent = 1_000_000

// submodule is git's mode of an entry that is a commit of another repository: it has no
// text here.
const submodule = "160000"

// Change is what lies between two commits.
type Change struct {
	// Files are in the order of their paths.
	Files []tokens.File
	// Foreign are the files with a text that is not UTF-8. Each of its wrong bytes is
	// U+FFFD here; GitHub may have guessed another encoding.
	Foreign []string
}

// Bounds are what a caller takes of a change; 0 is no bound.
type Bounds struct {
	Files int
	Bytes int64 // of all texts
}

// Change reads what the files of a pull request are from base to head, with their texts.
// A change beyond the bounds is an *Error.
func (r *Repository) Change(ctx context.Context, base, head string, most Bounds) (Change, error) {
	out, err := r.Git(ctx, nil, diffTree("-M", "-l1000", "-z", "--no-abbrev", "--raw", "--numstat", base, head)...)
	if err != nil && strings.Contains(err.Error(), "unable to read ") { // git looks into texts to find renames
		return Change{}, fmt.Errorf("%w (%w)", errMissing, err)
	}
	if err != nil {
		return Change{}, err
	}
	entries, err := parseEntries(out)
	if err != nil {
		return Change{}, fmt.Errorf("git diff-tree in %s: %w", r.dir, err)
	}
	if most.Files > 0 && len(entries) > most.Files {
		return Change{}, mendable("the change has %d files, and a pull request lists %d at most: split it", len(entries), most.Files)
	}
	change, size := Change{Files: make([]tokens.File, 0, len(entries))}, int64(0)
	for i := range entries {
		file, foreign, err := r.file(ctx, &entries[i])
		if err != nil {
			return Change{}, err
		}
		for _, text := range []*string{file.Head, file.Base} {
			if text != nil {
				size += int64(len(*text))
			}
		}
		if most.Bytes > 0 && size > most.Bytes {
			return Change{}, mendable("the texts of the change's files have more than %d MiB, which is more than a round takes of one "+
				"pull request, so it would not be scored: split it", most.Bytes>>20)
		}
		change.Files = append(change.Files, file)
		if foreign {
			change.Foreign = append(change.Foreign, file.Filename)
		}
	}
	return change, nil
}

// diffTree are the arguments of a comparison of trees. It is plumbing: settings of the
// user's taste, such as diff.algorithm, do not change it.
func diffTree(args ...string) []string {
	return append([]string{"diff-tree", "-r", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none"}, args...)
}

// file reads both texts of a changed file. foreign says that one of them is not UTF-8.
func (r *Repository) file(ctx context.Context, c *entry) (file tokens.File, foreign bool, err error) {
	head, err := r.text(ctx, c.headMode, c.headBlob)
	if err != nil {
		return file, false, err
	}
	base, err := r.text(ctx, c.baseMode, c.baseBlob)
	if err != nil {
		return file, false, err
	}
	file = tokens.File{
		Filename:         valid(c.path),
		PreviousFilename: valid(c.previous),
		Status:           c.status,
		Additions:        c.additions,
		Deletions:        c.deletions,
		Changes:          c.additions + c.deletions,
		Binary:           c.binary,
		Head:             head.content,
		Base:             base.content,
	}
	if head.exists {
		file.ByteSize = &head.size
	}
	return file, head.foreign || base.foreign, nil
}

// side is one side of a file: content is nil when the mirror sends null.
type side struct {
	exists, foreign bool
	size            int
	content         *string
}

// text reads one side of a file. git names the missing side of an added or removed file
// by an id of zeros, which is no object. A text with a zero byte is binary: the mirror
// sends null for it.
func (r *Repository) text(ctx context.Context, mode, blob string) (side, error) {
	if strings.Trim(blob, "0") == "" || mode == submodule {
		return side{}, nil
	}
	data, size, err := r.blob(ctx, blob)
	if err != nil {
		return side{}, fmt.Errorf("blob %s in %s: %w", blob, r.dir, err)
	}
	s := side{exists: true, size: size}
	if size <= maxContent && bytes.IndexByte(data, 0) < 0 {
		text := string(data)
		s.foreign = !utf8.ValidString(text)
		s.content = new(valid(text))
	}
	return s, nil
}

// valid is a text as JSON delivers it: each byte that is no part of UTF-8 is U+FFFD.
// strings.ToValidUTF8 would make one of several.
func valid(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for _, r := range text { // a wrong byte is U+FFFD, one byte wide
		b.WriteRune(r)
	}
	return b.String()
}
