package gitdiff

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// entry is one entry of a comparison of two trees.
type entry struct {
	status               string
	path, previous       string
	headMode, baseMode   string
	headBlob, baseBlob   string
	additions, deletions int
	binary               bool
}

// Lines are the lines that a change adds and deletes.
type Lines struct{ Additions, Deletions int }

// Lines counts the lines of many changes, from base to head, in one process; one for
// each would take minutes on a long history. The result is by head.
func (r *Repository) Lines(ctx context.Context, changes []Range) (map[string]Lines, error) {
	var in bytes.Buffer
	for _, c := range changes {
		fmt.Fprintf(&in, "%s %s\n", c.Head, c.Base)
	}
	out, err := r.Git(ctx, in.Bytes(), diffTree("--stdin", "--numstat")...)
	if err != nil {
		return nil, err
	}
	counted := make(map[string]Lines, len(changes))
	head := ""
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) == 1 && isID(fields[0]) {
			head = fields[0]
			continue
		}
		if len(fields) != 3 {
			continue
		}
		added, _ := strconv.Atoi(fields[0]) // "-" for a binary: no lines
		deleted, _ := strconv.Atoi(fields[1])
		lines := counted[head]
		counted[head] = Lines{lines.Additions + added, lines.Deletions + deleted}
	}
	return counted, nil
}

// statuses are the mirror's words for git's letters; any other letter is "changed".
//
//nolint:gochecknoglobals // a table
var statuses = map[byte]string{'A': "added", 'M': "modified", 'D': "removed", 'R': "renamed", 'C': "copied"}

var errTruncated = errors.New("output breaks off")

// parseEntries reads the output of diff-tree -z --raw --numstat: all raw
// entries, then the line counts in the same order.
func parseEntries(out []byte) ([]entry, error) {
	parts := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	var changed []entry
	for len(parts) > 0 && strings.HasPrefix(parts[0], ":") {
		fields := strings.Fields(parts[0][1:])
		if len(fields) != 5 || len(parts) < 2 {
			return nil, errTruncated
		}
		c := entry{
			baseMode: fields[0],
			headMode: fields[1],
			baseBlob: fields[2],
			headBlob: fields[3],
			status:   cmp.Or(statuses[fields[4][0]], "changed"),
			path:     parts[1],
		}
		parts = parts[2:]
		if letter := fields[4][0]; letter == 'R' || letter == 'C' {
			if len(parts) == 0 {
				return nil, errTruncated
			}
			c.previous = c.path
			c.path = parts[0]
			parts = parts[1:]
		}
		changed = append(changed, c)
	}
	for i := range changed {
		if len(parts) == 0 {
			return nil, errTruncated
		}
		parts = changed[i].count(parts)
	}
	return changed, nil
}

// count reads one entry's line counts and returns the parts after it. The two paths of a
// renamed file are parts of their own.
func (c *entry) count(parts []string) []string {
	added, rest, _ := strings.Cut(parts[0], "\t")
	deleted, path, _ := strings.Cut(rest, "\t")
	c.binary = added == "-"
	c.additions, _ = strconv.Atoi(added)
	c.deletions, _ = strconv.Atoi(deleted)
	if path == "" {
		return parts[min(3, len(parts)):]
	}
	return parts[1:]
}
