package page

import (
	"fmt"
	"io"
)

// TraceLink prints the link to a round's trace. A nil one prints nothing.
type TraceLink struct {
	out    io.Writer
	jaeger string // base URL of Jaeger's pages
	link   string // "" until the trace exists
}

// NewTraceLink makes links to pages of Jaeger, whose base URL has no slash at its end.
func NewTraceLink(out io.Writer, jaeger string) *TraceLink {
	return &TraceLink{out: out, jaeger: jaeger}
}

// Begun prints the link as soon as the trace exists, so that a round can be followed in
// Jaeger while it runs.
func (t *TraceLink) Begun(id string) {
	if t != nil {
		t.link = t.jaeger + "/trace/" + id
		fmt.Fprintln(t.out, "trace: "+t.link)
	}
}

// Ended prints the link again: the progress display has pushed the first one out of sight.
func (t *TraceLink) Ended() {
	if t != nil && t.link != "" {
		fmt.Fprintln(t.out, "trace: "+t.link)
	}
}
