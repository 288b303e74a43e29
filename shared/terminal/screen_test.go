//go:build linux

package terminal_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/terminal"
)

// grid is what a terminal shows: as much of one as a Screen uses, with lines that
// wrap, and wrap anew when the width changes, as today's terminals have it.
type grid struct {
	width  int
	lines  [][]rune // as they were written, however many rows each takes
	line   int      // the cursor's
	col    int
	noWrap bool
}

func (g *grid) feed(t *testing.T, text string) {
	t.Helper()
	for text != "" {
		if code, rest, ok := strings.Cut(text, "\x1b["); ok && code == "" {
			at := strings.IndexFunc(rest, func(r rune) bool { return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' })
			g.control(t, rest[:at+1])
			text = rest[at+1:]
			continue
		}
		r := []rune(text)[0]
		text = text[len(string(r)):]
		switch r {
		case '\r':
			g.col = max(0, g.col-1) / g.width * g.width // the row's begin
		case '\n':
			g.col, g.line = 0, g.line+1
			for g.line >= len(g.lines) {
				g.lines = append(g.lines, nil)
			}
		default:
			g.put(r)
		}
	}
}

func (g *grid) put(r rune) {
	if g.noWrap && g.col >= g.width {
		g.col = g.width - 1
	}
	line := g.lines[g.line]
	for len(line) <= g.col {
		line = append(line, ' ')
	}
	line[g.col] = r
	g.lines[g.line] = line
	g.col++
}

func (g *grid) control(t *testing.T, code string) {
	t.Helper()
	var n int
	switch {
	case code == "J":
		g.lines = g.lines[:g.line+1]
		g.lines[g.line] = g.lines[g.line][:min(g.col, len(g.lines[g.line]))]
	case code == "?7l", code == "?7h":
		g.noWrap = code == "?7l"
	case strings.HasSuffix(code, "A"):
		must.Get(fmt.Sscanf(code, "%dA", &n))(t)
		for ; n > 0; n-- { // rows, not lines
			switch {
			case g.col >= g.width:
				g.col -= g.width
			case g.line > 0:
				g.line--
				g.col = max(0, len(g.lines[g.line])-1) / g.width * g.width
			}
		}
	default:
		t.Fatalf("the terminal was told %q", code)
	}
}

func (g *grid) text() string {
	var b strings.Builder
	for _, line := range g.lines {
		b.WriteString(strings.TrimRight(string(line), " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// screen is a Screen on a pseudoterminal, whose other side a test reads.
type screen struct {
	*terminal.Screen

	master, slave *os.File
	grid          *grid
}

func newScreen(t *testing.T, columns uint16) *screen {
	t.Helper()
	master, slave := pair(t, columns)
	return &screen{terminal.NewScreen(slave), master, slave, &grid{width: int(columns), lines: [][]rune{nil}}}
}

// resize makes the terminal wider or narrower.
func (s *screen) resize(t *testing.T, columns uint16) {
	t.Helper()
	must.Do(t, unix.IoctlSetWinsize(int(s.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}))
	s.grid.width = int(columns)
}

// shows reads what was written up to here, and compares what the terminal shows.
func (s *screen) shows(t *testing.T, what, want string) {
	t.Helper()
	const end = "\x00"
	must.Get(s.slave.WriteString(end))(t)
	var got strings.Builder
	buffer := make([]byte, 4096)
	for !strings.HasSuffix(got.String(), end) {
		n := must.Get(s.master.Read(buffer))(t)
		got.Write(buffer[:n])
	}
	text := strings.TrimSuffix(got.String(), end)
	s.grid.feed(t, strings.ReplaceAll(text, "\r\n", "\n"))
	if shown := s.grid.text(); shown != want {
		t.Errorf("%s: the terminal shows\n%swant\n%s", what, shown, want)
	}
}

// full are lines as wide as the terminal.
func full(letter string, lines int) func(int) []string {
	return func(width int) (list []string) {
		for range lines {
			list = append(list, strings.Repeat(letter, width))
		}
		return list
	}
}

func rows(letter string, width, lines int) string {
	return strings.Repeat(strings.Repeat(letter, width)+"\n", lines)
}

// Whatever the width does between two drawings, and whatever is written in between,
// nothing of the former drawing stays.
func TestAScreenLeavesNoRemains(t *testing.T) {
	t.Parallel()
	s := newScreen(t, 80)
	must.Get(s.Write([]byte("before\n")))(t)
	must.Do(t, s.Draw(full("a", 3)))
	s.shows(t, "the first drawing", "before\n\n"+rows("a", 80, 3))
	s.resize(t, 40)
	must.Do(t, s.Draw(full("b", 4)))
	s.shows(t, "narrower", "before\n\n"+rows("b", 40, 4))
	s.resize(t, 140)
	must.Do(t, s.Draw(full("c", 2)))
	s.shows(t, "wider, and fewer lines", "before\n\n"+rows("c", 140, 2))
	must.Get(s.Write([]byte("a line of the log\n")))(t)
	s.shows(t, "with a line of the log", "before\na line of the log\n\n"+rows("c", 140, 2))
	s.resize(t, 53)
	must.Get(s.Write([]byte("another one")))(t)
	s.shows(t, "with another, before the next drawing", "before\na line of the log\nanother one\n\n"+rows("c", 53, 2))
	must.Do(t, s.Leave(full("d", 3)))
	must.Get(s.Write([]byte("after\n")))(t)
	s.shows(t, "at the end", "before\na line of the log\nanother one\n"+rows("d", 53, 3)+"after\n")
}

// A terminal that is not high enough shows what it has room for.
func TestAScreenIsNoHigherThanTheTerminal(t *testing.T) {
	t.Parallel()
	s := newScreen(t, 60)
	for range 3 {
		must.Do(t, s.Draw(full("x", 40)))
	}
	s.shows(t, "too many lines", "\n"+rows("x", 60, 23))
}

// A terminal that tells no width is taken for a usual one.
func TestAScreenWithoutAWidth(t *testing.T) {
	t.Parallel()
	s := newScreen(t, 0)
	s.grid.width = 80
	must.Do(t, s.Draw(full("x", 2)))
	s.shows(t, "no width", "\n"+rows("x", 80, 2))
}

// A terminal that is gone is said once, and drawn to no more.
func TestAScreenWhoseTerminalIsGone(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	must.Do(t, err)
	must.Do(t, r.Close())
	defer w.Close()
	s := terminal.NewScreen(w)
	if err := s.Draw(full("x", 2)); err == nil {
		t.Fatal("it was drawn to a pipe that nobody reads")
	}
	called := false
	if err := s.Draw(func(int) []string { called = true; return nil }); err == nil || called {
		t.Errorf("drawn again: %v", err)
	}
}
