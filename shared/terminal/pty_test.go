//go:build linux

package terminal_test

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/terminal"
)

// pseudoterminal opens a terminal of a width.
func pseudoterminal(t *testing.T, columns uint16) *os.File {
	t.Helper()
	_, slave := pair(t, columns)
	return slave
}

// pair is both sides of a terminal.
func pair(t *testing.T, columns uint16) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudoterminals here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns})
	}
	must.Do(t, err)
	slave = must.Get(os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0))(t)
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// A terminal tells its width and takes colour, unless it is asked not to.
func TestOfATerminal(t *testing.T) { //nolint:paralleltest // the environment is one
	tty, untold := pseudoterminal(t, 132), pseudoterminal(t, 0)
	file := must.Get(os.Create(t.TempDir() + "/file"))(t)
	defer file.Close()
	for _, c := range []struct {
		name          string
		file          *os.File
		noColor, term string
		want          terminal.Style
	}{
		{"a terminal", tty, "", "xterm", terminal.Style{Width: 132, Colour: true}},
		{"NO_COLOR", tty, "1", "xterm", terminal.Style{Width: 132}},
		{"a dumb one", tty, "", "dumb", terminal.Style{Width: 132}},
		{"one that does not tell its width", untold, "", "xterm", terminal.Style{Width: 80, Colour: true}},
		{"a file", file, "", "xterm", terminal.Style{}},
	} {
		t.Setenv("NO_COLOR", c.noColor)
		t.Setenv("TERM", c.term)
		if got := terminal.Of(c.file); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}
