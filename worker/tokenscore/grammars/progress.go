package main

import (
	"fmt"
	"io"
	"sync"
)

// progress reports how far a build is: at a terminal in a line that is redrawn, elsewhere in
// plain lines.
type progress struct {
	out      io.Writer
	terminal bool

	mu       sync.Mutex
	compiled int // grammars of those to be built
}

// plainBytes is how much of a download, in bytes, each plain line stands for. Of the
// grammars each has a line of its own, because the largest takes as long as many small ones.
const plainBytes = 10 << 20

// showf redraws the line. Without a terminal it prints only plain lines.
func (p *progress) showf(plain bool, format string, args ...any) {
	text := "grammars: " + fmt.Sprintf(format, args...)
	switch {
	case p.terminal:
		fmt.Fprintf(p.out, "\r%s\x1b[K", text)
	case plain:
		fmt.Fprintln(p.out, text)
	}
}

// clear removes the line.
func (p *progress) clear() {
	if p.terminal {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

// grammar says that one more of the grammars is compiled.
func (p *progress) grammar(of int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.compiled++
	p.showf(true, "compiled %d of %d", p.compiled, of)
}

// download passes on the bytes of a source distribution, and reports their number. size is
// below zero if the server does not say it.
type download struct {
	io.Reader

	progress *progress
	size     int64
	read     int64
}

func (d *download) Read(b []byte) (int, error) {
	n, err := d.Reader.Read(b)
	before := d.read
	d.read += int64(n)
	if d.read>>20 > before>>20 {
		of := ""
		if d.size >= 0 {
			of = fmt.Sprintf(" of %d", d.size>>20)
		}
		d.progress.showf(d.read/plainBytes > before/plainBytes, "downloaded %d%s MB", d.read>>20, of)
	}
	return n, err //nolint:wrapcheck // a reader's end is itself
}
