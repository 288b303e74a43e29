package page

import (
	"fmt"
	"io"
	"strings"
	"time"

	"mirrorfleet/shared/terminal"
)

// Transfer shows how far a backup or a restore is: on a terminal one line that is
// overwritten, elsewhere one line for each stream that is finished.
type Transfer struct {
	out      io.Writer
	terminal bool
	stream   string // the one in work, "" for none
	bytes    int64
	drawn    time.Time // when the line was drawn last; zero to draw at once
}

// NewTransfer returns a Transfer that writes to out.
func NewTransfer(out io.Writer) *Transfer {
	return &Transfer{out: out, terminal: terminal.Of(out).Width > 0}
}

// Moved is the Progress function of a backup.Config: so many bytes of a stream are moved.
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

// End finishes the line of the stream in work. On a terminal it erases the line, because
// the table that follows has the same numbers.
func (t *Transfer) End() {
	switch {
	case t.stream == "":
	case t.terminal:
		fmt.Fprint(t.out, "\r\x1b[2K")
	default:
		fmt.Fprintln(t.out, t.line())
	}
	t.stream = ""
}

func (t *Transfer) line() string {
	return strings.TrimSpace(fmt.Sprintf("%-16s  %s", t.stream, sized(t.bytes)))
}
