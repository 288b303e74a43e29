package web

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"mirrorfleet/producer/access"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/steering"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/problems"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/scoring/whatif"
)

// kind is a type of problem: the last part of its URI.
type kind string

// The types of problems.
const (
	badRequest       kind = "bad-request"
	unauthorized     kind = "unauthorized"
	noToken          kind = "no-token"
	unknownPath      kind = "unknown-path"
	unknownRound     kind = "unknown-round"
	unknownRevision  kind = "unknown-revision"
	unknownMiner     kind = "unknown-miner"
	unknownProblem   kind = "unknown-problem"
	notConcluded     kind = "not-concluded"
	otherRules       kind = "other-rules"
	noBucket         kind = "no-bucket"
	crossOrigin      kind = "cross-origin"
	foreignHost      kind = "foreign-host"
	notKept          kind = "not-kept"
	methodNotAllowed kind = "method-not-allowed"
	nothingToReplay  kind = "nothing-to-replay"
	nothingToCancel  kind = "nothing-to-cancel"
	replayUnderWay   kind = "replay-under-way"
	notNow           kind = "not-now"
	unconfirmed      kind = "unconfirmed"
	tooLarge         kind = "too-large"
	unverified       kind = "unverified"
	internal         kind = "internal"
	busy             kind = "busy"
	unavailable      kind = "unavailable"
)

// meaning is what all problems of a type have in common. Types, statuses and titles are
// published (docs/api.md).
type meaning struct {
	status int
	title  string
	todo   string // what the caller can do
}

// meanings are the documentation of the types, which their URIs serve.
//
//nolint:gochecknoglobals // a table
var meanings = map[kind]meaning{
	badRequest: {400, "The request says something that is not understood", "errors names each field and what would be right"},
	unauthorized: {401, "The token is missing or is not the right one", "send Authorization: Bearer TOKEN, that of --api-token-file, " +
		"or for reading that of --api-read-token-file"},
	noToken:          {403, "This producer takes no orders", "start it with --api-token-file"},
	crossOrigin:      {403, "A page of another site sent this request", "order from the dashboard's own pages, or by a program"},
	unknownPath:      {404, "There is nothing at this path", "see " + base + "/openapi.json"},
	unknownRound:     {404, "There is no such round", "see " + base + "/rounds"},
	unknownRevision:  {404, "The round has no such revision", "leave revision out for the latest one"},
	unknownMiner:     {404, "There is no such miner in the round", "the detail lists the round's uids"},
	unknownProblem:   {404, "There is no such type of problem", "see docs/api.md"},
	notConcluded:     {404, "The round has no outcome yet", "wait for it; the round itself says how far it is"},
	otherRules:       {409, "The round was planned under other rules", "read what differs; rules: \"current\" runs it under the new ones"},
	noBucket:         {404, "The egress has no bucket", "nobody has asked for a permit of it yet, or Redis lost its state"},
	notKept:          {409, "The round did not keep what this needs", "the detail names it; nothing is guessed"},
	methodNotAllowed: {405, "That cannot be done here", "the header Allow lists what can"},
	nothingToReplay:  {409, "Nothing can be replayed as asked", "the round's failures list what can"},
	nothingToCancel:  {409, "Nothing can be cancelled as asked", "the detail says what has ended, and which jobs are outstanding"},
	replayUnderWay:   {409, "This producer is replaying the round already", "wait until the round lists nothing as replaying"},
	notNow:           {409, "The order cannot be followed as things stand", "the detail says why, and what to do instead"},
	unconfirmed:      {409, "The order needs a confirmation", "the detail says what it risks, and how to confirm it"},
	tooLarge:         {413, "The body is too large", "64 KiB is the maximum; of a what-if 1 MiB"},
	foreignHost: {421, "This producer is not known by that name", "use one of the names in the detail, send a token that is right, " +
		"or start the producer with --api-hosts NAME"},
	unverified:  {500, "The outcome is not what a producer has signed", "take nothing of it; docs/secure.md says what to look at"},
	internal:    {500, "The producer failed to answer", "its log says why"},
	busy:        {503, "The producer is busy", "wait as long as Retry-After says, then ask again"},
	unavailable: {503, "NATS or Redis did not answer in time", AskAgain},
}

// AskAgain says what a caller should do while NATS or Redis is away.
const AskAgain = "wait as long as Retry-After says, then ask again; rounds resume when NATS and Redis answer"

// Problems lists the types of problems.
func Problems() []string {
	var list []string
	for k := range maps.Keys(meanings) {
		list = append(list, string(k))
	}
	slices.Sort(list)
	return list
}

func (k kind) uri() string { return base + "/problems/" + string(k) }

// ProblemError is what is wrong with a request, as a page for a person says it.
type ProblemError struct {
	Status int
	Title  string
	Detail string // "" for nothing more
	Todo   string // what the reader can do
}

func (p *ProblemError) Error() string { return p.Title + ": " + p.Detail }

// ProblemOf is what the API would answer to an error. Of what the caller can correct the
// detail says what to do: the API's own remedies name its addresses.
func ProblemOf(ctx context.Context, err error) ProblemError {
	if p, ok := errors.AsType[*ProblemError](err); ok {
		return *p
	}
	p := problemOf(ctx, err)
	m := meanings[p.kind]
	page := ProblemError{Status: m.status, Title: m.title, Detail: p.detail}
	if m.status >= http.StatusInternalServerError {
		page.Todo = m.todo
	}
	return page
}

// problem is why a request is refused.
type problem struct {
	kind   kind
	detail string
	fields []problems.Field
	allow  string // methods, for the header
	cause  error  // for the log
}

func (p *problem) Error() string {
	if p.cause != nil {
		return fmt.Sprintf("%s: %v", p.kind, p.cause)
	}
	return fmt.Sprintf("%s: %s", p.kind, p.detail)
}

func (p *problem) Unwrap() error { return p.cause }

// wrong refuses a request for one field.
func wrong(field, format string, args ...any) *problem {
	detail := fmt.Sprintf(format, args...)
	return &problem{kind: badRequest, detail: field + ": " + detail, fields: []problems.Field{{Field: field, Detail: detail}}}
}

// errPanicked stands for a panic, which is logged where it was caught.
var errPanicked = errors.New("a handler panicked")

// refusal turns an error into an answer, and logs what the caller cannot correct (5xx). A
// panic is logged where it was caught and an order where it is carried out; a caller who has
// hung up is no error.
func (a *API) refusal(r *http.Request, err error) reply {
	p := problemOf(r.Context(), err)
	m := meanings[p.kind]
	told := errors.Is(err, errPanicked) || steering.Logged(err) || errors.Is(r.Context().Err(), context.Canceled)
	if m.status >= http.StatusInternalServerError && !told {
		a.cfg.Log.WarnContext(r.Context(), "a request of the API failed", "path", r.URL.Path, "status", m.status, "error", err)
	}
	answer := reply{
		status: m.status,
		typ:    problems.ContentType,
		header: map[string]string{},
		body: problems.Document{
			Type:   p.kind.uri(),
			Title:  m.title,
			Status: m.status,
			Detail: p.detail,
			Errors: p.fields,
		},
	}
	switch m.status {
	case http.StatusUnauthorized:
		answer.header["WWW-Authenticate"] = `Bearer realm="mirrorfleet"`
	case http.StatusMethodNotAllowed:
		answer.header["Allow"] = p.allow
	case http.StatusServiceUnavailable:
		answer.header["Retry-After"] = "5"
	}
	return answer
}

// problemOf finds the type of an error. The text of an error that the caller cannot correct
// stays out of the answer, because it may reveal addresses and names of the installation.
func problemOf(ctx context.Context, err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if no, ok := errors.AsType[*steering.RefusedError](err); ok {
		return &problem{kind: notNow, detail: no.Why}
	}
	for _, known := range []struct {
		is   error
		kind kind
	}{
		{access.ErrForeignHost, foreignHost},
		{access.ErrCrossOrigin, crossOrigin},
		{view.ErrNoRound, unknownRound},
		{view.ErrNoRevision, unknownRevision},
		{view.ErrNoMiner, unknownMiner},
		{view.ErrNotConcluded, notConcluded},
		{round.ErrRunning, notConcluded},
		{round.ErrRules, otherRules},
		{outcome.ErrSelection, nothingToReplay},
		{round.ErrCancel, nothingToCancel},
		{steering.ErrReplaying, replayUnderWay},
		{steering.ErrBusy, busy},
		{ratelimit.ErrNoBucket, noBucket},
		{view.ErrNotKept, notKept},
		{view.ErrViewers, busy},
		{view.ErrHubClosed, busy},
		{whatif.ErrImpossible, badRequest},
	} {
		if errors.Is(err, known.is) {
			return &problem{kind: known.kind, detail: err.Error()}
		}
	}
	if missing, is := errors.AsType[*whatif.NotKeptError](err); is {
		return &problem{kind: notKept, detail: missing.Error()}
	}
	switch {
	case ctx.Err() != nil, errors.Is(err, steering.ErrLimiter):
		return &problem{kind: unavailable}
	case errors.Is(err, jobstream.ErrSignature):
		return &problem{kind: unverified, detail: err.Error(), cause: err}
	case errors.Is(err, jobstream.ErrNotFound): // removed since it was listed
		return &problem{kind: unknownRound, detail: "the round is no longer kept"}
	}
	return &problem{kind: internal}
}

// explain serves what a type of problem means, at the URI that is the type.
func explain(r *http.Request) (reply, error) {
	name := r.PathValue("name")
	m, known := meanings[kind(name)]
	if !known {
		return reply{}, &problem{kind: unknownProblem, detail: "there are " + strings.Join(Problems(), ", ")}
	}
	return reply{body: explained{kind(name).uri(), m.title, m.status, m.todo}}, nil
}

// explained is a type of problem.
type explained struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Todo   string `json:"todo"`
}

func text(cause any) string { return fmt.Sprint(cause) }
