package web

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"mirrorfleet/producer/access"
	"mirrorfleet/producer/steering"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/listen"
	"mirrorfleet/shared/ratelimit"
)

// Config is what the API works with. The API closes nothing of it.
type Config struct {
	// Bus is required.
	Bus *jobstream.Bus
	// Hub follows rounds for those who view them. It is closed before what serves the API,
	// because a stream would keep everything else waiting. Required.
	Hub *view.Hub
	// Limit reads the bucket of the process's egress. Required.
	Limit func(context.Context) (ratelimit.State, error)
	// Buckets reads the buckets of all egresses. Required.
	Buckets func(context.Context) ([]ratelimit.State, error)
	// Operator carries out orders. Required.
	Operator *steering.Operator
	// Guard says who may read and who may order. Required.
	Guard *access.Guard
	// Timeout bounds one request. Default: 10 s.
	Timeout time.Duration
	// WholeTimeout bounds a request for the evaluations of all miners. Default:
	// 40 s, of the 60 s that the validator's adapter waits for the whole answer.
	WholeTimeout time.Duration
	// Now is the clock for ages, and for deciding whether a producer is alive. Default:
	// time.Now.
	Now func() time.Time
	// Log gets what cannot be read. Default: slog.Default().
	Log *slog.Logger
}

// API is the handler.
type API struct {
	cfg       Config
	handler   http.Handler
	slots     chan struct{} // each request in work fills one
	whole     chan struct{} // the single slot of requests for a whole round
	damaged   sync.Map      // rounds whose unreadable outcome is logged already
	pasts     *view.Pasts
	coverages *view.Coverages
}

// atWork is how many requests are in work at the same time; others wait. The outcome of a
// large round takes megabytes, and the process has a round to run.
const atWork = 8

// New returns the API.
func New(cfg Config) (*API, error) {
	if cfg.Bus == nil || cfg.Hub == nil || cfg.Limit == nil || cfg.Buckets == nil || cfg.Operator == nil || cfg.Guard == nil {
		return nil, errors.New("web: Bus, Hub, Limit, Buckets, Operator and Guard are required")
	}
	cfg.Timeout, cfg.WholeTimeout = cmp.Or(cfg.Timeout, 10*time.Second), cmp.Or(cfg.WholeTimeout, 40*time.Second)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	a := &API{
		cfg:       cfg,
		slots:     make(chan struct{}, atWork),
		whole:     make(chan struct{}, 1),
		pasts:     view.NewPasts(),
		coverages: view.NewCoverages(),
	}
	mux := http.NewServeMux()
	for path, methods := range a.routes() {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { a.serve(w, r, methods) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { a.serve(w, r, nil) })
	a.handler = cfg.Guard.Protect(mux, func(w http.ResponseWriter, r *http.Request, err error) { a.refusal(r, err).write(w, r) })
	return a, nil
}

// ServeHTTP answers a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// sendTime is how long sending an answer may take, to a caller who reads slowly.
const sendTime = 20 * time.Second

// WriteTime is how long an answer may take from the header of its request on.
func (a *API) WriteTime() time.Duration {
	return listen.ReadTime + max(a.cfg.Timeout, a.cfg.WholeTimeout) + sendTime
}
