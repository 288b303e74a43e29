package tokenscore

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

const (
	// maxLines bounds the lines that one child may log. A crash prints the stacks of all
	// threads, and the first lines show the cause.
	maxLines  = 40
	maxLine   = 1000
	lastLines = 5
)

// lineLogger logs a child's standard error line by line. It remembers the first lines for an
// error.
type lineLogger struct {
	log *slog.Logger

	mu    sync.Mutex
	pid   int
	rest  []byte
	first []string
	lines int
}

func (l *lineLogger) started(pid int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pid = pid
}

// Write never fails: a failing log must not kill the child.
func (l *lineLogger) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(p)
	for {
		line, after, found := bytes.Cut(p, []byte{'\n'})
		if room := maxLine - len(l.rest); room > 0 {
			l.rest = append(l.rest, line[:min(len(line), room)]...)
		}
		if !found {
			return n, nil
		}
		l.lineLocked(string(l.rest))
		l.rest, p = l.rest[:0], after
	}
}

func (l *lineLogger) lineLocked(line string) {
	if line == "" {
		return
	}
	l.lines++
	if len(l.first) < lastLines {
		l.first = append(l.first, line)
	}
	switch {
	case l.lines < maxLines:
		l.log.Warn("token-scoring child", "pid", l.pid, "line", line)
	case l.lines == maxLines:
		l.log.Warn("token-scoring child: more lines are left out", "pid", l.pid)
	}
}

// last is what the child wrote, shortened.
func (l *lineLogger) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.first
	if len(l.rest) > 0 && len(lines) < lastLines {
		lines = append(slices.Clip(lines), string(l.rest))
	}
	if len(lines) == 0 {
		return "nothing"
	}
	return strings.Join(lines, " / ")
}
