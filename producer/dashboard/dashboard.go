package dashboard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"mirrorfleet/producer/access"
	"mirrorfleet/producer/doctor"
	"mirrorfleet/producer/steering"
	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/telemetry"
)

// Config is what the pages are made of. The dashboard closes nothing of it.
type Config struct {
	// Bus is required.
	Bus *jobstream.Bus
	// Guard says who may read and who may order. Required.
	Guard *access.Guard
	// Hub follows rounds for those who look at them. Required.
	Hub *view.Hub
	// Buckets reads the buckets of all egresses. Required.
	Buckets func(context.Context) ([]ratelimit.State, error)
	// Jaeger is the base URL of Jaeger's pages, which traces are linked to; "" shows their ids
	// alone.
	Jaeger string
	// Operator carries out orders. Required.
	Operator *steering.Operator
	// Doctor examines the installation, in seconds. It must take no permit. Required.
	Doctor func(context.Context) (doctor.Diagnosis, error)
	// Timeout bounds the making of one page. Default: 10 s.
	Timeout time.Duration
	// Now is the clock for ages, and for deciding whether a producer is alive. Default:
	// time.Now.
	Now func() time.Time
	// Log gets what cannot be read. Default: slog.Default().
	Log *slog.Logger
}

func (cfg Config) withDefaults() Config {
	cfg.Timeout = cmp.Or(cfg.Timeout, 10*time.Second)
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return cfg
}

// Dashboard is the handler of the pages. Close ends what it has begun.
type Dashboard struct {
	cfg       Config
	handler   http.Handler
	templates templates
	assets    assets
	outcomes  *outcomes
	// registries are those that what-ifs ask with.
	registries registries
	audits     *audits
	health     health
	shows      *shows
	slots      chan struct{} // each page in work fills one
	// concluding is the slot of the pages that conclude a round again, from all of its
	// evaluations: one at a time, and none of the others waits for them.
	concluding chan struct{}
	pasts      *view.Pasts
	standings  *view.Standings
	coverages  *view.Coverages
}

// atWork is how many pages are made at the same time; others wait. The outcome of a large
// round takes megabytes, and the process has a round to run.
const atWork = 4

// New returns the dashboard.
func New(cfg Config) (*Dashboard, error) {
	if cfg.Bus == nil || cfg.Guard == nil || cfg.Hub == nil || cfg.Buckets == nil || cfg.Operator == nil || cfg.Doctor == nil {
		return nil, errors.New("dashboard: Bus, Guard, Hub, Buckets, Operator and Doctor are required")
	}
	d := &Dashboard{
		cfg:        cfg.withDefaults(),
		assets:     readAssets(),
		outcomes:   &outcomes{},
		audits:     &audits{},
		slots:      make(chan struct{}, atWork),
		concluding: make(chan struct{}, 1),
		pasts:      view.NewPasts(),
		standings:  view.NewStandings(),
		coverages:  view.NewCoverages(),
		health:     health{making: make(chan struct{}, 1)},
	}
	d.shows = newShows(d)
	var err error
	if d.templates, err = readTemplates(d.assets); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for pattern, maker := range d.pages() {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { d.serve(w, r, maker) })
	}
	for address, act := range d.acts() {
		mux.HandleFunc("GET "+address, func(w http.ResponseWriter, r *http.Request) { d.serve(w, r, d.asks(act)) })
		mux.HandleFunc("POST "+address, func(w http.ResponseWriter, r *http.Request) { d.serve(w, r, d.carriesOut(act)) })
	}
	mux.Handle("GET /assets/{version}/{name}", d.assets)
	mux.HandleFunc("POST "+signInPath, d.give)
	mux.HandleFunc("POST /sign-out", d.leave)
	// A compressed page tells by its length nothing that matters: it holds no secret.
	compress, err := gzhttp.NewWrapper()
	if err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	all := http.NewServeMux()
	all.Handle("/", compress(mux))
	all.HandleFunc("GET /live/rounds/{id}", d.live)
	d.handler = d.cfg.Guard.Protect(secured(all), d.refuse)
	return d, nil
}

// Close ends the updates of all browsers, and waits for them. It may be called again.
func (d *Dashboard) Close() { d.shows.close() }

// ServeHTTP answers a request.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.handler.ServeHTTP(w, r) }

// maker makes a page, or says why there is none.
type maker func(*http.Request) (page, error)

// pages are the dashboard's addresses. They are stable: people keep them and pass them on.
func (d *Dashboard) pages() map[string]maker {
	return map[string]maker{
		"GET /rounds/{id}":              d.round,
		"GET /rounds/{id}/compare":      d.compare,
		"GET /{$}":                      d.rounds,
		"GET " + signInPath:             d.signIn,
		"GET /limit":                    d.limit,
		"GET /workers":                  d.workers,
		"GET /tokens":                   d.tokens,
		"GET /health":                   d.healthPage,
		"POST /health":                  d.examine,
		"GET /search":                   d.search,
		"GET /rounds/{id}/miners/{uid}": d.miner,
		"GET " + leversPath:             d.levers,
		"GET " + whatIfPath:             d.whatIf,
		"POST " + whatIfPath:            d.whatIf,
		"GET /rounds/{id}/pulls/{owner}/{name}/{number}": d.pull,
		"GET /rounds/{id}/repositories":                  d.repositories,
		"GET /rounds/{id}/repositories/{owner}/{name}":   d.repository,
		"/": d.nothing,
	}
}

// policy lets a page load only what the producer itself serves, and be shown in no frame.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secured sets the headers that every answer has.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		// Addresses name rounds and miners. With no-referrer a browser would send Origin: null with
		// our own forms, and one that sends no Sec-Fetch-Site could order nothing:
		// https://fetch.spec.whatwg.org/#append-a-request-origin-header
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// errSlow ends a page whose time is over.
var errSlow = errors.New("the page took too long")

// serve makes a page within its time, and answers with it or with what is wrong.
func (d *Dashboard) serve(w http.ResponseWriter, r *http.Request, makes maker) {
	ctx, cancel := context.WithTimeoutCause(r.Context(), d.cfg.Timeout, errSlow)
	defer cancel()
	r = r.WithContext(ctx)
	r.Body = http.MaxBytesReader(w, r.Body, maxBody(r.Pattern))
	p, err := d.inTurn(r, makes)
	if err != nil {
		p = d.failure(r, err)
	}
	d.write(w, r, p)
}

// inTurn checks that the caller may read, waits for a slot and makes the page.
func (d *Dashboard) inTurn(r *http.Request, makes maker) (page, error) {
	if caller := d.cfg.Guard.Caller(r); !caller.Reads && r.URL.Path != signInPath {
		return page{}, errSignIn
	}
	slots := d.slots
	if strings.HasSuffix(r.Pattern, whatIfPath) || strings.HasSuffix(r.Pattern, leversPath) {
		slots = d.concluding
	}
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
		return d.guarded(r.Context(), r, makes)
	case <-r.Context().Done():
		return page{}, fmt.Errorf("waiting for other pages: %w", context.Cause(r.Context()))
	}
}

// guarded turns a panic into an error, and logs it with its stack.
func (d *Dashboard) guarded(ctx context.Context, r *http.Request, makes maker) (_ page, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			d.cfg.Log.ErrorContext(ctx, "a page of the dashboard panicked", "path", r.URL.Path,
				"panic", telemetry.Scrub(fmt.Sprint(cause)), "stack", string(debug.Stack()))
			err = errPanicked
		}
	}()
	return makes(r)
}

var errPanicked = errors.New("a page panicked")

// nothing is the page of an address that has none.
func (d *Dashboard) nothing(*http.Request) (page, error) {
	return page{}, &web.ProblemError{Status: http.StatusNotFound, Title: "There is nothing at this address", Todo: "Begin with the rounds."}
}
