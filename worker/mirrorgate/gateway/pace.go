package gateway

import (
	"errors"
	"log/slog"
	"net/http"
	"os"
	"time"
)

// slowest is the rate at which a client must read in the long run, in bytes a second. Each
// answer under way takes a connection of the pool. At this rate, an answer of a few megabytes
// gives it back within seconds.
const slowest = 256 << 10

// pace is how much longer an answer waits for its client. Waiting uses it up. Bytes that
// have gone restore it, but never beyond the patience that it began with.
type pace struct{ left, patience time.Duration }

// after is the pace after a wait that ended with so many bytes gone.
func (p pace) after(waited time.Duration, gone int) pace {
	earned := time.Duration(float64(gone) / slowest * float64(time.Second))
	p.left = min(p.patience, p.left-waited+earned)
	return p
}

// reader is the client's side of an answer. A write fails when the client's pace is used up:
// the answer then breaks off, and gives back its connection.
type reader struct {
	http.ResponseWriter

	control *http.ResponseController
	pace    pace
	gone    int64
	slow    bool // the answer has broken off because of its pace
}

func newReader(w http.ResponseWriter, patience time.Duration) *reader {
	return &reader{ResponseWriter: w, control: http.NewResponseController(w), pace: pace{patience, patience}}
}

// Unwrap is for http.ResponseController.
func (r *reader) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *reader) Write(p []byte) (n int, err error) {
	err = r.within(func() (int, error) {
		n, err = r.ResponseWriter.Write(p)
		return n, err //nolint:wrapcheck // net/http's own
	})
	return n, err //nolint:wrapcheck // as above
}

// FlushError is for http.ResponseController. A flush can wait for the client as a write does.
func (r *reader) FlushError() error {
	return r.within(func() (int, error) { return 0, r.control.Flush() })
}

// within does what may wait for the client, for as long as its pace allows.
func (r *reader) within(send func() (int, error)) error {
	began := time.Now()
	if err := r.control.SetWriteDeadline(began.Add(r.pace.left)); err != nil {
		return err //nolint:wrapcheck // net/http's own
	}
	n, err := send()
	r.gone += int64(n)
	r.pace = r.pace.after(time.Since(began), n)
	r.slow = r.slow || errors.Is(err, os.ErrDeadlineExceeded)
	return err
}

// end leaves the rest of the patience for what net/http sends after the handler: the time in
// which the mirror sent nothing is not the client's. It logs that the client was too slow.
func (r *reader) end(log *slog.Logger, request *http.Request) {
	_ = r.control.SetWriteDeadline(time.Now().Add(r.pace.left)) // fails only once the connection is gone
	if r.slow {
		log.WarnContext(request.Context(), "a client reads too slowly: its answer has broken off",
			"path", request.URL.Path, "bytes", r.gone, "patience", r.pace.patience)
	}
}
