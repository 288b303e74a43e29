package dashboard

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web"
)

const (
	// heartbeat is how often a stream says that it lives. A proxy closes a connection on
	// which nothing comes for a minute or so.
	heartbeat = 15 * time.Second
	// takeTime is how long a browser may take to read what is sent. A stream that is not
	// read ends; the browser comes back with the version that it has.
	takeTime = 10 * time.Second
)

// live answers with a round's updates as they come. Everything that can be refused is refused
// before the stream begins. It takes no slot, for it waits nearly all of its time.
func (d *Dashboard) live(w http.ResponseWriter, r *http.Request) {
	s, done, err := d.viewer(r)
	if err != nil {
		problem := web.ProblemOf(r.Context(), err)
		if errors.Is(err, errSignIn) {
			problem.Status = http.StatusUnauthorized
		}
		if errors.Is(err, errStreams) || errors.Is(err, view.ErrHubClosed) || errors.Is(err, view.ErrViewers) {
			problem.Status = http.StatusServiceUnavailable
			w.Header().Set("Retry-After", "5")
		}
		http.Error(w, http.StatusText(problem.Status), problem.Status)
		return
	}
	defer done()
	defer s.leave()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	if w.WriteHeader(http.StatusOK); r.Method == http.MethodHead {
		return
	}
	d.send(w, r, s)
}

// viewer lets a browser in that follows a round.
func (d *Dashboard) viewer(r *http.Request) (*show, func(), error) {
	if !d.cfg.Guard.Caller(r).Reads {
		return nil, nil, errSignIn
	}
	name, err := d.roundOf(r)
	if err != nil {
		return nil, nil, err
	}
	done, err := d.shows.stream()
	if err != nil {
		return nil, nil, err
	}
	s, err := d.shows.enter(r.Context(), name)
	if err != nil {
		done()
		return nil, nil, err
	}
	return s, done, nil
}

// send sends updates until the round has ended, the browser has gone or does not read, or the
// dashboard is closed.
func (d *Dashboard) send(w http.ResponseWriter, r *http.Request, s *show) {
	control := http.NewResponseController(w)
	write := func(data []byte) bool {
		_ = control.SetWriteDeadline(time.Now().Add(takeTime))
		_, err := w.Write(data) //nolint:gosec // regions that templates have escaped
		return err == nil && control.Flush() == nil
	}
	// A browser that connects again sends the header, and has the parameter of its page's
	// address still.
	has := s.versionIn(cmp.Or(r.Header.Get("Last-Event-ID"), r.URL.Query().Get("after")))
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	if !write([]byte(":\n\n")) { // so that the headers are on their way
		return
	}
	for {
		changed := s.changed.Next()
		event, now, over := s.after(has)
		if event != nil && !write(event) {
			return
		}
		has = now
		if over != nil {
			if errors.Is(over, io.EOF) {
				write([]byte("event: end\ndata: {}\n\n"))
			}
			return
		}
		select {
		case <-changed:
		case <-beat.C:
			if !write([]byte(":\n\n")) {
				return
			}
		case <-r.Context().Done():
			return
		case <-d.shows.ctx.Done():
			return
		}
	}
}
