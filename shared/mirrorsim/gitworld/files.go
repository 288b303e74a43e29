package gitworld

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"mirrorfleet/shared/mirrorsim"
)

// maxContent is the size, in bytes, above which the mirror sends null for a text.
const maxContent = 1 << 20

// submodule is git's mode of an entry that is a commit of another repository: it has no
// text here.
const submodule = "160000"

// changedFile is one entry of a comparison of two trees.
type changedFile struct {
	status             string
	path, previous     string
	headMode, baseMode string
	headBlob, baseBlob string
	additions, deleted int
	binary             bool
}

// git runs one git command in the repository.
func (r *repository) git(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", r.dir}, args...)...)
	cmd.Stdin = bytes.NewReader(stdin)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("git %s in %s: %w: %s", args[0], r.dir, err, bytes.TrimSpace(complaint.Bytes()))
	}
	return out.Bytes(), nil
}

// countLines fills in additions and deletions of all pull requests with one process; one
// for each would take minutes on a long history.
func (r *repository) countLines(ctx context.Context) error {
	var in bytes.Buffer
	at := make(map[string]int, len(r.pulls))
	for i, p := range r.pulls {
		fmt.Fprintf(&in, "%s %s\n", p.head, p.base)
		at[p.head] = i
	}
	out, err := r.git(ctx, in.Bytes(), "diff-tree", "--stdin", "-r", "--numstat")
	if err != nil {
		return err
	}
	var pull *pullRequest
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if i, isHead := at[fields[0]]; isHead {
			pull = &r.pulls[i]
			continue
		}
		if pull == nil || len(fields) != 3 {
			continue
		}
		added, _ := strconv.Atoi(fields[0]) // "-" for a binary: no lines
		deleted, _ := strconv.Atoi(fields[1])
		pull.additions += added
		pull.deletions += deleted
	}
	return nil
}

// filesOf is the files answer of a pull request. It reads git at every call.
func (r *repository) filesOf(ctx context.Context, p *pullRequest) (mirrorsim.Files, error) {
	out, err := r.git(ctx, nil, "diff-tree", "-r", "-M", "-z", "--no-abbrev", "--raw", "--numstat", p.base, p.head)
	if err != nil {
		return mirrorsim.Files{}, err
	}
	changed, err := parseChanges(out)
	if err != nil {
		return mirrorsim.Files{}, fmt.Errorf("git diff-tree of %s#%d: %w", r.name, p.number, err)
	}
	answer := mirrorsim.Files{
		RepoFullName:      r.name,
		Number:            p.number,
		HeadSHA:           &p.head,
		BaseSHA:           &p.base,
		MergeBaseSHA:      p.mergeBase(),
		ScoringDataStored: true,
		Files:             make([]mirrorsim.File, 0, len(changed)),
	}
	for _, c := range changed {
		file, err := r.file(ctx, c)
		if err != nil {
			return mirrorsim.Files{}, err
		}
		answer.Files = append(answer.Files, file)
	}
	return answer, nil
}

// file reads both texts of a changed file.
func (r *repository) file(ctx context.Context, c changedFile) (mirrorsim.File, error) {
	head, err := r.text(ctx, c.headMode, c.headBlob)
	if err != nil {
		return mirrorsim.File{}, err
	}
	base, err := r.text(ctx, c.baseMode, c.baseBlob)
	if err != nil {
		return mirrorsim.File{}, err
	}
	file := mirrorsim.File{
		Filename:    c.path,
		Status:      c.status,
		Additions:   c.additions,
		Deletions:   c.deleted,
		Changes:     c.additions + c.deleted,
		IsBinary:    c.binary,
		HeadContent: head.content,
		BaseContent: base.content,
	}
	if c.previous != "" {
		file.PreviousFilename = &c.previous
	}
	if head.exists {
		file.ByteSize = &head.size
	}
	return file, nil
}

// blobText is one side of a file: content is nil when the mirror sends null.
type blobText struct {
	exists  bool
	size    int
	content *string
}

// text reads one side of a file. git names the missing side of an added or removed file
// by an id of zeros, which is no object. A text with a zero byte is binary: the mirror
// sends null for it.
func (r *repository) text(ctx context.Context, mode, blob string) (blobText, error) {
	if strings.Trim(blob, "0") == "" || mode == submodule {
		return blobText{}, nil
	}
	data, size, err := r.blob(ctx, blob)
	if err != nil {
		return blobText{}, fmt.Errorf("blob %s of %s: %w", blob, r.name, err)
	}
	side := blobText{exists: true, size: size}
	if size <= maxContent && bytes.IndexByte(data, 0) < 0 {
		side.content = new(string(data))
	}
	return side, nil
}

// statuses are the mirror's words for git's letters; any other letter is "changed".
//
//nolint:gochecknoglobals // a table
var statuses = map[byte]string{'A': "added", 'M': "modified", 'D': "removed", 'R': "renamed", 'C': "copied"}

var errTruncated = errors.New("output breaks off")

// parseChanges reads the output of diff-tree -z --raw --numstat: all raw
// entries, then the line counts in the same order.
func parseChanges(out []byte) ([]changedFile, error) {
	tokens := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	var changed []changedFile
	for len(tokens) > 0 && strings.HasPrefix(tokens[0], ":") {
		fields := strings.Fields(tokens[0][1:])
		if len(fields) != 5 || len(tokens) < 2 {
			return nil, errTruncated
		}
		c := changedFile{
			baseMode: fields[0],
			headMode: fields[1],
			baseBlob: fields[2],
			headBlob: fields[3],
			status:   cmp.Or(statuses[fields[4][0]], "changed"),
			path:     tokens[1],
		}
		tokens = tokens[2:]
		if letter := fields[4][0]; letter == 'R' || letter == 'C' {
			if len(tokens) == 0 {
				return nil, errTruncated
			}
			c.previous = c.path
			c.path = tokens[0]
			tokens = tokens[1:]
		}
		changed = append(changed, c)
	}
	for i := range changed {
		if len(tokens) == 0 {
			return nil, errTruncated
		}
		tokens = changed[i].count(tokens)
	}
	return changed, nil
}

// count reads one entry's line counts and returns the tokens after it. The two paths of a
// renamed file are tokens of their own.
func (c *changedFile) count(tokens []string) []string {
	added, rest, _ := strings.Cut(tokens[0], "\t")
	deleted, path, _ := strings.Cut(rest, "\t")
	c.binary = added == "-"
	c.additions, _ = strconv.Atoi(added)
	c.deleted, _ = strconv.Atoi(deleted)
	if path == "" {
		return tokens[min(3, len(tokens)):]
	}
	return tokens[1:]
}
