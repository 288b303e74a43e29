package mirror

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"mirrorfleet/shared/bounded"
	"mirrorfleet/shared/telemetry"
)

// Sentinels that every failed request matches one of.
var (
	// ErrFinal says that asking again would give the same: a 4xx, an answer
	// over its cap, a list that does not end, a name that no address can hold.
	ErrFinal = errors.New("mirror: final")
	// ErrUnavailable says that all tries failed; a later one may not.
	ErrUnavailable = errors.New("mirror: unavailable")
	// ErrClosed says that the client was used after its Close.
	ErrClosed = errors.New("mirror: the client is closed")
)

// RequestError is a request that failed for good.
type RequestError struct {
	// Method and Route name the request; the route has no ids in it.
	Method, Route string
	// Path is the path that was asked for.
	Path string
	// Status is the last answer's, 0 without one.
	Status int
	// Tries is how often it was tried.
	Tries int
	// Final says that asking again would give the same.
	Final bool
	// Err is the last try's failure.
	Err error
}

// Error names the request without host or query.
func (e *RequestError) Error() string {
	return fmt.Sprintf("mirror %s %s: %v (tries: %d)", e.Method, e.Path, e.Err, e.Tries)
}

// Unwrap makes the error match ErrFinal or ErrUnavailable, and its cause.
func (e *RequestError) Unwrap() []error {
	if e.Final {
		return []error{ErrFinal, e.Err}
	}
	return []error{ErrUnavailable, e.Err}
}

// statusError is an answer that was not 2xx.
type statusError struct {
	status int
	body   string
}

func (e *statusError) Error() string {
	return strings.TrimSuffix(fmt.Sprintf("status %d: %s", e.status, e.body), ": ")
}

// errTooLarge is an answer over its cap.
var errTooLarge = errors.New("the answer is too large")

// errNotJSON is an answer that is not the JSON that was asked for.
var errNotJSON = errors.New("the answer is not JSON of the expected form")

// preview is the beginning of a body, fit for one line of a log: at most 200
// printable characters, runs of anything else as one blank, and no access
// token that it echoes.
func preview(body []byte) string {
	const maxRunes = 200
	return printable(string(body[:min(len(body), utf8.UTFMax*maxRunes)]), maxRunes)
}

// printable is the beginning of a text that others wrote, in one line of at most so many
// characters and without access tokens. A token is taken out before the text is cut, because
// half of one would not be recognised.
func printable(text string, limit int) string {
	return bounded.Line(telemetry.Scrub(bounded.Line(text, utf8.UTFMax*limit)), limit)
}
