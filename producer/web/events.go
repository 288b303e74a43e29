package web

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
)

const (
	// beat is how often a stream says that it lives. A proxy closes a connection on which
	// nothing comes for a minute or so.
	beat = 15 * time.Second
	// takeTime is how long a viewer may take to read what is sent. A stream whose viewer
	// does not read ends; the viewer comes back with the ID of its last event.
	takeTime = 10 * time.Second
	// rarely is when a browser asks again whose page did not close the stream at its end.
	rarely = time.Hour
)

// events answers with a round's events as they come, which are those of `producer watch
// --json`. Everything that can be refused is refused before the stream begins.
func (a *API) events(r *http.Request) (reply, error) {
	query, err := params(r, "after")
	if err != nil {
		return reply{}, err
	}
	// A browser that connects again sends the header, and has the parameter of its page's
	// address still.
	from, text := "after", query.Get("after")
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		from, text = "Last-Event-ID", last
	}
	after, err := strconv.ParseUint(cmp.Or(text, "0"), 10, 64)
	if err != nil {
		return reply{}, wrong(from, "%.80q: want the id of an event of this stream, which is a whole number from 0", text)
	}
	name, err := a.plannedName(r)
	if err != nil {
		return reply{}, err
	}
	viewer, err := a.cfg.Hub.Subscribe(r.Context(), name, after)
	return reply{stream: viewer}, err
}

// plannedName is the round of the path, "latest" being the last one planned, as `producer
// watch` has it: that one runs.
func (a *API) plannedName(r *http.Request) (string, error) {
	switch name := r.PathValue("id"); {
	case name == view.Latest:
		return view.LastPlanned(r.Context(), a.cfg.Bus)
	case !job.ValidRound(name):
		return "", fmt.Errorf("%w: %.80q", view.ErrNoRound, name)
	default:
		return name, nil
	}
}

// stream sends a viewer its events until the round has ended, the viewer has gone or does not
// read, or the process stops. It takes no slot, for it waits nearly all of its time.
func (a *API) stream(w http.ResponseWriter, r *http.Request, viewer *view.Subscription) {
	defer viewer.Close()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	if w.WriteHeader(http.StatusOK); r.Method == http.MethodHead {
		return
	}
	control := http.NewResponseController(w)
	var lines bytes.Buffer
	lines.WriteString(":\n\n") // so that the headers are on their way
	for {
		_ = control.SetWriteDeadline(time.Now().Add(takeTime)) // in place of the listener's, which is for a whole answer
		if _, err := w.Write(lines.Bytes()); err != nil || control.Flush() != nil {
			return
		}
		events, err := viewer.Next(r.Context(), beat)
		if err != nil {
			return
		}
		lines.Reset()
		if len(events) == 0 {
			lines.WriteString(":\n\n")
		}
		for _, e := range events {
			writeEvent(&lines, e)
		}
	}
}

// writeEvent writes an event as a browser's EventSource reads it. Its JSON is one line.
func writeEvent(to *bytes.Buffer, e view.Event) {
	data, err := json.Marshal(e)
	if err != nil { // no event does that
		return
	}
	fmt.Fprintf(to, "id: %d\nevent: %s\n", e.ID, e.Type)
	if e.Type == view.EventEnd {
		fmt.Fprintf(to, "retry: %d\n", rarely.Milliseconds())
	}
	fmt.Fprintf(to, "data: %s\n\n", data)
}
