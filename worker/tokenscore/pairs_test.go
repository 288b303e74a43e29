package tokenscore_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mirrorfleet/shared/scoring"
)

// pairsEnv names the git repositories (work trees or bare ones, separated by
// commas) whose file pairs the benchmarks score.
const pairsEnv = "MIRRORFLEET_PAIRS"

const (
	pairsWanted   = 1000 // in all, an equal share of each repository
	commitsOfEach = 3000 // that are looked at for them, the latest ones
)

// pairSet is what a benchmark scores: a pull request for each commit.
type pairSet struct {
	pulls [][]scoring.File
	pairs int // files with a base and a head
	from  string
}

// readPairs reads the pairs of the repositories that the environment names, or
// those of this project's own history and of the parity cases.
func readPairs(tb testing.TB, w *scoring.Weights) *pairSet {
	tb.Helper()
	set := &pairSet{from: os.Getenv(pairsEnv)}
	dirs := strings.FieldsFunc(set.from, func(r rune) bool { return r == ',' })
	if len(dirs) == 0 {
		set.from, dirs = "this project's own history and the parity cases", []string{filepath.Join("..", "..")}
		cases, err := readCases()
		if err != nil {
			tb.Fatal(err)
		}
		for _, l := range cases {
			var pull []scoring.File
			for _, c := range l.cases {
				pull = append(pull, c.file)
			}
			set.add(pull)
		}
	}
	for _, dir := range dirs {
		pulls, err := changedFiles(tb, dir, w, (pairsWanted+len(dirs)-1)/len(dirs))
		if err != nil {
			tb.Fatalf("%s: the history of %s: %v", pairsEnv, dir, err)
		}
		for _, pull := range pulls {
			set.add(pull)
		}
	}
	return set
}

func (s *pairSet) add(pull []scoring.File) {
	s.pulls = append(s.pulls, pull)
	for i := range pull {
		if pull[i].Base != nil {
			s.pairs++
		}
	}
}

// String says what was measured and how little that may be.
func (s *pairSet) String() string {
	text := fmt.Sprintf("%d pairs in %d pull requests of %s", s.pairs, len(s.pulls), s.from)
	if os.Getenv(pairsEnv) == "" {
		text += "; " + pairsEnv + "=DIR,DIR takes the histories of those repositories"
	}
	return text
}

// change is a file that a commit changed, as git lists it.
type change struct{ path, base, head string }

// changedFiles reads the latest changes to files that are scored by their
// trees, a commit's together, oldest first.
func changedFiles(tb testing.TB, dir string, w *scoring.Weights, most int) ([][]scoring.File, error) {
	tb.Helper()
	log, err := git(tb, dir, "", "log", "-n", fmt.Sprint(commitsOfEach), "--first-parent", "-m", "--format=%x1e", "--raw", "-z",
		"--no-abbrev", "--no-renames", "--diff-filter=M", "HEAD")
	if err != nil {
		return nil, err
	}
	commits := parseRawLog(string(log), w, most)
	if len(commits) == 0 {
		return nil, errors.New("no commit changes a file of a scored language")
	}
	texts, err := readBlobs(tb, dir, commits)
	if err != nil {
		return nil, err
	}
	pulls := make([][]scoring.File, 0, len(commits))
	for _, changes := range commits {
		var pull []scoring.File
		for _, c := range changes {
			pull = append(pull, modified(c.path, texts[c.base], texts[c.head]))
		}
		pulls = append(pulls, pull)
	}
	return pulls, nil
}

// parseRawLog takes the latest changes of a log, which begins with the newest.
func parseRawLog(log string, w *scoring.Weights, left int) [][]change {
	var commits [][]change
	for commit := range strings.SplitSeq(log, "\x1e") {
		fields := strings.Split(commit, "\x00")
		var changes []change
		for i := 0; i+1 < len(fields); i++ {
			_, entry, found := strings.Cut(fields[i], ":")
			if entry := strings.Fields(entry); found && len(entry) == 5 && left > 0 {
				i++
				if w.Language(scoring.Extension(fields[i])) != "" && strings.HasPrefix(entry[1], "100") {
					changes = append(changes, change{fields[i], entry[2], entry[3]})
					left--
				}
			}
		}
		if len(changes) > 0 {
			commits = append(commits, changes)
		}
	}
	slices.Reverse(commits)
	return commits
}

// readBlobs reads all texts with one process, as the mirror would send them.
func readBlobs(tb testing.TB, dir string, commits [][]change) (map[string]string, error) {
	tb.Helper()
	var ids strings.Builder
	for _, changes := range commits {
		for _, c := range changes {
			fmt.Fprintf(&ids, "%s\n%s\n", c.base, c.head)
		}
	}
	out, err := git(tb, dir, ids.String(), "cat-file", "--batch")
	if err != nil {
		return nil, err
	}
	texts := make(map[string]string)
	for r := bufio.NewReader(bytes.NewReader(out)); ; {
		header, err := r.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return texts, nil
		}
		var id, kind string
		var size int
		if n, _ := fmt.Sscan(header, &id, &kind, &size); n != 3 {
			return nil, fmt.Errorf("git cat-file says %q", strings.TrimSpace(header))
		}
		text := make([]byte, size+1) // and a line break
		if _, err := io.ReadFull(r, text); err != nil {
			return nil, fmt.Errorf("git cat-file: %w", err)
		}
		texts[id] = strings.ToValidUTF8(string(text[:size]), "\ufffd")
	}
}

func git(tb testing.TB, dir, input string, args ...string) ([]byte, error) {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), "git", append([]string{"-C", dir}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.Output()
	if err != nil {
		if exit, ended := errors.AsType[*exec.ExitError](err); ended {
			err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
		}
		return nil, fmt.Errorf("git %s: %w", args[0], err)
	}
	return out, nil
}
