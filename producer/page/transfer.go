package page

import (
	"fmt"
	"io"
	"strings"
	"time"

	"mirrorfleet/shared/terminal"
)

// Transfer shows how far a backup or a restore is: at a terminal a line that is
// written anew, elsewhere a line for each stream.
type Transfer struct {
	out      io.Writer
	terminal bool
	stream   string
	bytes    int64
	drawn    time.Time
}

// NewTransfer shows it at a place.
func NewTransfer(out io.Writer) *Transfer {
	return &Transfer{out: out, terminal: terminal.Of(out).Width > 0}
}

// Moved is a backup.Config's Progress.
func (t *Transfer) Moved(stream string, bytes int64) {
	if stream != t.stream {
		t.End()
		t.stream, t.drawn = stream, time.Time{}
	}
	t.bytes = bytes
	if now := time.Now(); t.terminal && now.Sub(t.drawn) >= redraw {
		t.drawn = now
		fmt.Fprintf(t.out, "\r\x1b[2K%s", t.line())
	}
}

// End writes the last line of a stream.
func (t *Transfer) End() {
	switch {
	case t.stream == "":
	case t.terminal:
		fmt.Fprint(t.out, "\r\x1b[2K") // the table has it
	default:
		fmt.Fprintln(t.out, t.line())
	}
	t.stream = ""
}

func (t *Transfer) line() string {
	return strings.TrimSpace(fmt.Sprintf("%-16s  %s", t.stream, sized(t.bytes)))
}
