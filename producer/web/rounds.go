package web

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/steering"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/ratelimit"
)

// The number of rounds on a page: by default, and at most. Each costs a few reads of NATS.
const usualPage, maxPage = 20, 100

// rounds lists the rounds that were planned.
func (a *API) rounds(r *http.Request) (reply, error) {
	query, err := params(r, "limit", "cursor")
	if err != nil {
		return reply{}, err
	}
	limit, err := whole(query, "limit", usualPage, maxPage)
	if err != nil {
		return reply{}, err
	}
	before := query.Get("cursor")
	if before != "" && !job.ValidRound(before) {
		return reply{}, wrong("cursor", "%.80q is not a cursor: take next_cursor of the page before", before)
	}
	page, err := view.ListOf(r.Context(), a.cfg.Bus, before, limit, a.cfg.Now())
	return reply{body: page}, err
}

// standing is the state of a round, with the last replay that this process ran of it.
type standing struct {
	view.Round

	Replay *steering.Replayed `json:"replay,omitempty"`
}

// round answers with the state of a round. That changes while the round runs, so the tag is
// a digest of the answer.
func (a *API) round(r *http.Request) (reply, error) {
	if _, err := params(r); err != nil {
		return reply{}, err
	}
	name, err := a.roundName(r)
	if err != nil {
		return reply{}, err
	}
	now, err := view.RoundOf(r.Context(), a.cfg.Bus, name, a.cfg.Now())
	if err != nil {
		return reply{}, err
	}
	data, err := json.Marshal(standing{now, a.cfg.Operator.Replayed(now.Round)})
	if err != nil {
		return reply{}, fmt.Errorf("encoding round %s: %w", name, err)
	}
	data = append(data, '\n')
	tag := fmt.Sprintf(`"%.16x"`, sha256.Sum256(data))
	if fresh(r, tag) {
		return unchanged(tag), nil
	}
	return reply{raw: data, tag: tag}, nil
}

// rewards answers with the vector of an outcome.
func (a *API) rewards(r *http.Request) (reply, error) {
	return a.told(r, func(result outcome.Result) (any, error) { return view.RewardsOf(result, a.cfg.Now()), nil })
}

// evaluations answers with all miners of a round and their files. Everything is in memory
// until it is encoded. Encoding is done here, while the request has its slot, so that only
// one such answer exists at a time.
func (a *API) evaluations(r *http.Request) (reply, error) {
	told, err := a.told(r, func(result outcome.Result) (any, error) { return view.EvaluationsOf(r.Context(), a.cfg.Bus, result) })
	if err != nil || told.body == nil {
		return told, err
	}
	if told.raw, err = json.Marshal(told.body); err != nil {
		return reply{}, fmt.Errorf("encoding the evaluations: %w", err)
	}
	told.raw = append(told.raw, '\n')
	return told, nil
}

// outcome answers with the outcome byte for byte as it was signed, and the signature in
// headers. A caller with the public key can verify it without trusting the API.
func (a *API) outcome(r *http.Request) (reply, error) {
	return a.unlessFresh(r, func(at view.OutcomeRef) (reply, error) {
		stored, err := a.cfg.Bus.Outcomes.LoadSigned(r.Context(), at.Round, at.Revision)
		if err == nil {
			err = outcome.CheckNext(r.Context(), a.cfg.Bus, at.Round, at.Revision, stored.SHA256)
		}
		if err != nil {
			return reply{}, fmt.Errorf("revision %d of round %s: %w", at.Revision, at.Round, err)
		}
		told := reply{raw: stored.Data, header: map[string]string{}}
		if s := stored.Signature; s.SignedBy != "" {
			told.header["Mirrorfleet-Signed-By"] = s.SignedBy
			told.header["Mirrorfleet-Signature"] = base64.StdEncoding.EncodeToString(s.Signature)
		}
		return told, nil
	})
}

func (a *API) miner(r *http.Request) (reply, error) {
	uid, err := uidOf(r)
	if err != nil {
		return reply{}, err
	}
	answer, err := a.told(r, func(result outcome.Result) (any, error) {
		miner, err := view.MinerIn(&result, uid)
		if err != nil {
			return nil, err
		}
		return view.MinerOf(r.Context(), a.cfg.Bus, result, miner)
	})
	if name := r.PathValue("id"); errors.Is(err, view.ErrNotConcluded) && name != view.Latest {
		err = fmt.Errorf("%w; %s/rounds/%s/miners/%d/job says how the miner's job stands", err, base, name, uid)
	}
	return answer, err
}

// attempts answers with the attempts of a miner's job, in a round that runs as in one that
// is concluded.
func (a *API) attempts(r *http.Request) (reply, error) {
	name, uid, err := a.minerOf(r, a.roundName)
	if err != nil {
		return reply{}, err
	}
	attempts, err := view.AttemptsOf(r.Context(), a.cfg.Bus, name, uid)
	return reply{body: attempts}, err
}

// minerOf is the round and the miner of a path that takes no parameter; nameOf reads the
// round.
func (a *API) minerOf(r *http.Request, nameOf func(*http.Request) (string, error)) (name string, uid int, err error) {
	if _, err := params(r); err != nil {
		return "", 0, err
	}
	if uid, err = uidOf(r); err != nil {
		return "", 0, err
	}
	name, err = nameOf(r)
	return name, uid, err
}

// uidOf is the miner of the path.
func uidOf(r *http.Request) (int, error) {
	uid, err := strconv.Atoi(r.PathValue("uid"))
	if err != nil || uid < 0 {
		return 0, wrong("uid", "%.80q: want a whole number from 0", r.PathValue("uid"))
	}
	return uid, nil
}

// told reads the outcome that a request names, and answers with what say makes of it.
func (a *API) told(r *http.Request, say func(outcome.Result) (any, error)) (reply, error) {
	return a.unlessFresh(r, func(at view.OutcomeRef) (reply, error) {
		result, err := view.Read(r.Context(), a.cfg.Bus, at)
		if err != nil {
			return reply{}, err
		}
		body, err := say(result)
		return reply{body: body}, err
	})
}

// unlessFresh answers about the outcome that a request names. A caller who has that answer
// already gets 304, and the outcome is not read.
func (a *API) unlessFresh(r *http.Request, answer func(view.OutcomeRef) (reply, error)) (reply, error) {
	at, err := a.outcomeRef(r)
	if err != nil {
		return reply{}, err
	}
	tag := tagOf(at.Round, at.Revision)
	if fresh(r, tag) {
		return unchanged(tag), nil
	}
	told, err := answer(at)
	told.tag = tag
	return told, err
}

// egresses answers with the bucket of every egress. What is declared only adds to them.
func (a *API) egresses(r *http.Request) (reply, error) {
	if _, err := params(r); err != nil {
		return reply{}, err
	}
	buckets, err := a.cfg.Buckets(r.Context())
	if err != nil {
		return reply{}, &problem{kind: unavailable, cause: err}
	}
	declared, _, err := a.cfg.Bus.Egresses.Load(r.Context())
	if err != nil {
		a.cfg.Log.WarnContext(r.Context(), "the declared egresses cannot be read", "error", err)
	}
	return reply{body: view.EgressesOf(buckets, declared)}, nil
}

// workers answers with the worker processes of the last day.
func (a *API) workers(r *http.Request) (reply, error) {
	if _, err := params(r); err != nil {
		return reply{}, err
	}
	all, err := view.ReadWorkers(r.Context(), a.cfg.Bus)
	return reply{body: all}, err
}

func (a *API) limit(r *http.Request) (reply, error) {
	if _, err := params(r); err != nil {
		return reply{}, err
	}
	state, err := a.cfg.Limit(r.Context())
	switch {
	case err != nil:
		return reply{}, &problem{kind: unavailable, cause: err}
	case !state.Known:
		return reply{}, fmt.Errorf("egress %s: %w", state.Egress, ratelimit.ErrNoBucket)
	}
	bucket := view.BucketOf(state)
	bucket.Undeclared = a.undeclared(r.Context())
	return reply{body: bucket}, nil
}

// tokens answers with the miners that lack a usable token.
func (a *API) tokens(r *http.Request) (reply, error) {
	if _, err := params(r); err != nil {
		return reply{}, err
	}
	coverage, err := a.coverages.Of(r.Context(), a.cfg.Bus)
	return reply{body: coverage}, err
}

// undeclared lists the egresses in use that are not declared. It only adds to the bucket, so
// what cannot be read is left out.
func (a *API) undeclared(ctx context.Context) []string {
	declared, _, err := a.cfg.Bus.Egresses.Load(ctx)
	if err != nil || len(declared.Names) == 0 {
		return nil
	}
	buckets, err := a.cfg.Buckets(ctx)
	if err != nil {
		a.cfg.Log.WarnContext(ctx, "the buckets of other egresses cannot be listed", "error", err)
		return nil
	}
	return view.EgressesOf(buckets, declared).Undeclared()
}

// outcomeRef finds the outcome that a request names by its path and the parameter revision;
// without that, the latest one.
func (a *API) outcomeRef(r *http.Request) (view.OutcomeRef, error) {
	query, err := params(r, "revision")
	if err != nil {
		return view.OutcomeRef{}, err
	}
	revision, err := whole(query, "revision", 0, maxRevision)
	if err != nil {
		return view.OutcomeRef{}, err
	}
	name, err := a.roundName(r)
	if err != nil {
		return view.OutcomeRef{}, err
	}
	return view.Locate(r.Context(), a.cfg.Bus, name, revision)
}

// roundName is the round of the path. "latest" is the last concluded round of the schedule:
// a validator must never get a round that somebody ran by hand. A name that no round can
// have never reaches NATS, where it would be a subject.
func (a *API) roundName(r *http.Request) (string, error) {
	ctx := r.Context()
	switch name := r.PathValue("id"); {
	case name == view.Latest:
		return view.LastDue(ctx, a.cfg.Bus, func(round string, err error) {
			if _, told := a.damaged.LoadOrStore(round, true); !told {
				a.cfg.Log.WarnContext(ctx, "an outcome cannot be read and is passed over", "round", round, "error", err)
			}
		})
	case !job.ValidRound(name):
		return "", fmt.Errorf("%w: %.80q", view.ErrNoRound, name)
	default:
		return name, nil
	}
}

// params reads the query. A parameter that is unknown or given twice is refused, because a
// misspelt one would silently change nothing.
func params(r *http.Request, known ...string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, &problem{kind: badRequest, detail: "the query string cannot be parsed"}
	}
	for name, values := range query {
		switch {
		case !slices.Contains(known, name):
			return nil, wrong(fmt.Sprintf("%.80s", name), "is not a parameter here; %s", listed(known))
		case len(values) > 1:
			return nil, wrong(name, "is given %d times, want it once", len(values))
		}
	}
	return query, nil
}

func listed(known []string) string {
	if len(known) == 0 {
		return "there is none"
	}
	return "known are " + strings.Join(known, ", ")
}

// whole reads a whole number from 1 of the query; usual is the default.
func whole(query url.Values, name string, usual, maximum int) (int, error) {
	text := query.Get(name)
	n, err := strconv.Atoi(cmp.Or(text, strconv.Itoa(usual)))
	if err != nil || text != "" && (n < 1 || n > maximum) {
		return 0, wrong(name, "%.80q: want a whole number from 1 to %d", text, maximum)
	}
	return n, nil
}
