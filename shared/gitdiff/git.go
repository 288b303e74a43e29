package gitdiff

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// maxOutput bounds, in bytes, what one git command may print. The log of a history
// with a hundred thousand commits is smaller.
const maxOutput = 256 << 20

// maxShallow bounds, in bytes, the list of the commits at which a clone is cut off.
const maxShallow = 16 << 20

// Error is a fault that the person who names a repository and its commits can mend.
type Error struct{ text string }

func (e *Error) Error() string { return e.text }

func mendable(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// Repository is an open repository. It is safe for concurrent use.
//
// Git reads it through a folder of this package's own, which has nothing but a
// configuration, a HEAD and the way to the repository's objects: so nothing that stands in
// the repository's own configuration, attributes, hooks, grafts or replaced objects counts,
// whatever new settings a version of git has. The repository itself is only asked for the
// commits behind names.
type Repository struct {
	dir     string // as it was given, for errors
	gitDir  string // absolute
	objects string // absolute
	format  string // sha1 or sha256
	clean   string // the folder of this package's own
	shallow bool

	mu    sync.Mutex
	blobs *blobReader // guarded by mu; nil before the first text
}

// Open finds the repository of a directory: a work tree, a folder in one, or a bare
// repository. Close it.
func Open(ctx context.Context, dir string) (*Repository, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, mendable("%q is no directory: want a git repository, or a folder in one", dir)
	}
	// Git refuses to look into a repository of another user, because it may run what the
	// repository's configuration says. rev-parse does not.
	out, err := run(command(ctx, "-C", dir, "-c", "safe.directory=*", "rev-parse", "--path-format=absolute", "--git-dir",
		"--git-path", "objects", "--git-path", "shallow", "--is-shallow-repository", "--show-object-format"), nil)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, mendable("git is not installed, or not in PATH: install it (Debian: apt-get install git)")
	case ctx.Err() != nil:
		return nil, fmt.Errorf("opening %s: %w", dir, context.Cause(ctx))
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if err != nil || len(lines) != 5 || !filepath.IsAbs(lines[0]) || !filepath.IsAbs(lines[1]) {
		return nil, mendable("%q is no git repository, nor a folder in one", dir)
	}
	r := &Repository{
		dir:     dir,
		gitDir:  lines[0],
		objects: lines[1],
		shallow: lines[3] == "true",
		format:  lines[4],
	}
	if err := r.prepare(ctx, lines[2]); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// prepare makes the folder through which git reads. shallow is the file that says where
// the history ends, if it does.
func (r *Repository) prepare(ctx context.Context, shallow string) (err error) {
	if r.clean, err = os.MkdirTemp("", "mirrorfleet-git-"); err != nil {
		return fmt.Errorf("a folder for git: %w", err)
	}
	config := "[core]\n\trepositoryFormatVersion = 0\n\tbare = true\n"
	if r.format != "sha1" {
		config = "[core]\n\trepositoryFormatVersion = 1\n\tbare = true\n[extensions]\n\tobjectFormat = " + r.format + "\n"
	}
	head, err := r.name(ctx, "HEAD")
	if ctx.Err() != nil {
		return err
	}
	files := map[string]string{"config": config, "HEAD": cmp.Or(head, "ref: refs/heads/none") + "\n"}
	if r.shallow {
		if files["shallow"], err = readBounded(shallow); err != nil {
			return err
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(r.clean, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("a folder for git: %w", err)
		}
	}
	for _, folder := range []string{"refs", "objects"} {
		if err := os.Mkdir(filepath.Join(r.clean, folder), 0o700); err != nil {
			return fmt.Errorf("a folder for git: %w", err)
		}
	}
	return nil
}

func readBounded(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading where the history ends: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxShallow))
	if err != nil {
		return "", fmt.Errorf("reading where the history ends: %w", err)
	}
	return string(data), nil
}

// Git runs one git command that only reads the repository's objects, and returns what it
// prints. The caller must not pass words of strangers in front of "--" or as options.
func (r *Repository) Git(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	out, err := run(r.command(ctx, args...), stdin)
	if err != nil {
		return nil, fmt.Errorf("git %s in %s: %w", args[0], r.dir, err)
	}
	return out, nil
}

// command is a git that reads the objects through the folder of this package's own.
// Newer versions of git would take attributes from the tree of HEAD; they are to take them
// from an empty one.
func (r *Repository) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := command(ctx, append([]string{"--git-dir", r.clean, "--no-pager"}, args...)...)
	cmd.Env = append(cmd.Env, "GIT_OBJECT_DIRECTORY="+r.objects, "GIT_ATTR_SOURCE="+emptyTrees[r.format])
	return cmd
}

// emptyTrees are trees that every repository has without storing them, by its hash.
//
//nolint:gochecknoglobals // a table
var emptyTrees = map[string]string{
	"sha1":   "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
	"sha256": "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}

// name asks the repository itself which commit has a name; "" if none has.
func (r *Repository) name(ctx context.Context, revision string) (string, error) {
	out, err := run(command(ctx, "--git-dir", r.gitDir, "rev-parse", "--verify", "--quiet", revision+"^{commit}"), nil)
	if id := strings.TrimSpace(string(out)); err == nil && isID(id) {
		return id, nil
	}
	return "", err
}

// Origin is the address of the remote origin; "" if there is none.
func (r *Repository) Origin(ctx context.Context) string {
	out, err := run(command(ctx, "--git-dir", r.gitDir, "config", "--get", "remote.origin.url"), nil)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// command is git in an environment that changes no answer: no variable of git's own, no
// configuration of the machine or the user, no attributes of theirs, no replaced objects,
// no hooks, and no fetch. (GIT_NO_LAZY_FETCH is not in every version; without it, no
// protocol is allowed.) Its folder is one in which nobody has put a file for git.
func command(ctx context.Context, args ...string) *exec.Cmd {
	settings := []string{"-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.attributesFile=/dev/null"}
	cmd := exec.CommandContext(ctx, "git", append(settings, args...)...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GIT_") || strings.HasPrefix(v, "LC_") })
	cmd.Env = append(cmd.Env,
		"LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_ATTR_NOSYSTEM=1", "GIT_NO_REPLACE_OBJECTS=1",
		"GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=", "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0")
	return cmd
}

// run runs git without a shell. Its error has what git complains of.
func run(cmd *exec.Cmd, stdin []byte) ([]byte, error) {
	cmd.Stdin = bytes.NewReader(stdin)
	var out, complaint bounded
	out.left, complaint.left = maxOutput, 4<<10
	cmd.Stdout, cmd.Stderr = &out, &complaint
	switch err := cmd.Run(); {
	case out.full:
		return nil, fmt.Errorf("it prints more than %d bytes", maxOutput)
	case err != nil:
		return nil, fmt.Errorf("%w: %s", err, bytes.TrimSpace(complaint.Bytes()))
	}
	return out.Bytes(), nil
}

// bounded keeps the first bytes that are written to it, and fails beyond its bound.
type bounded struct {
	bytes.Buffer

	left int
	full bool
}

var errFull = errors.New("too much")

func (b *bounded) Write(p []byte) (int, error) {
	if len(p) > b.left {
		b.full = true
		return 0, errFull
	}
	b.left -= len(p)
	return b.Buffer.Write(p) //nolint:wrapcheck // it never fails
}

// Close ends the process that reads texts, if there is one, and removes what Open made.
func (r *Repository) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var err error
	if r.blobs != nil {
		err = r.blobs.close()
		r.blobs = nil
	}
	if r.clean != "" {
		err = errors.Join(err, os.RemoveAll(r.clean))
	}
	return err
}
