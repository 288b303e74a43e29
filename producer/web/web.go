package web

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"mirrorfleet/producer/access"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/listen"
	"mirrorfleet/shared/ratelimit"
)

// Replayer runs failed miners of a concluded round again, as round.Runner does.
type Replayer func(ctx context.Context, round string, s outcome.Selection) (outcome.Result, outcome.Replayed, error)

// Canceller waits until an order to cancel is carried out, or carries it out, as
// round.Runner.FollowCancel does.
type Canceller func(ctx context.Context, c round.Cancelled) error

// Config is what the API works with. The API closes nothing of it but the Hub.
type Config struct {
	// Bus is required.
	Bus *jobstream.Bus
	// Hub follows rounds for those who view them. Closing the API closes it first, because
	// a stream would keep everything else waiting. Required.
	Hub *view.Hub
	// Limit reads the bucket of the process's egress. Required.
	Limit func(context.Context) (ratelimit.State, error)
	// Buckets reads the buckets of all egresses. Required.
	Buckets func(context.Context) ([]ratelimit.State, error)
	// Replay runs a replay. It must end when its context does. Required.
	Replay Replayer
	// Cancel follows an order to cancel. It must end when its context does. Required.
	Cancel Canceller
	// Name is the process's name, in orders to cancel that do not say who gives them.
	Name string
	// Guard says who may read and who may order. Required.
	Guard *access.Guard
	// TLS is how the API is served; nil for plain HTTP.
	TLS *tls.Config
	// Timeout bounds one request. Default: 10 s.
	Timeout time.Duration
	// WholeTimeout bounds a request for the evaluations of all miners. Default:
	// 40 s, of the 60 s that the validator's adapter waits for the whole answer.
	WholeTimeout time.Duration
	// Now is the clock for ages, and for deciding whether a producer is alive. Default:
	// time.Now.
	Now func() time.Time
	// Log gets replays, and what cannot be read. Default: slog.Default().
	Log *slog.Logger
}

// API is the handler. Close ends what it has begun.
type API struct {
	cfg     Config
	handler http.Handler
	slots   chan struct{} // each request in work fills one
	whole   chan struct{} // the single slot of requests for a whole round
	replays *replays
	cancels *cancels
	damaged sync.Map // rounds whose unreadable outcome is logged already
}

// atWork is how many requests are in work at the same time; others wait. The outcome of a
// large round takes megabytes, and the process has a round to run.
const atWork = 8

// New returns the API. Replays end with ctx, or by Close.
func New(ctx context.Context, cfg Config) (*API, error) {
	if cfg.Bus == nil || cfg.Hub == nil || cfg.Limit == nil || cfg.Buckets == nil ||
		cfg.Replay == nil || cfg.Cancel == nil || cfg.Guard == nil {
		return nil, errors.New("web: Bus, Hub, Limit, Buckets, Replay, Cancel and Guard are required")
	}
	cfg.Timeout, cfg.WholeTimeout = cmp.Or(cfg.Timeout, 10*time.Second), cmp.Or(cfg.WholeTimeout, 40*time.Second)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	a := &API{
		cfg:     cfg,
		slots:   make(chan struct{}, atWork),
		whole:   make(chan struct{}, 1),
		replays: newReplays(ctx, cfg.Replay, cfg.Log),
		cancels: newCancels(ctx, cfg.Cancel, cfg.Log),
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

// Close ends the streams, the replays under way and what follows orders, and waits for them.
func (a *API) Close() {
	a.cfg.Hub.Close()
	a.replays.close()
	a.cancels.close()
}

// Server serves the API on an address.
type Server struct {
	*listen.Server

	api *API
}

// lastAnswers is how long Close waits for requests in work.
const lastAnswers = 2 * time.Second

// others is how many connections there are beside those of viewers.
const others = 64

// sendTime is how long sending an answer may take, to a caller who reads slowly.
const sendTime = 20 * time.Second

// Listen serves on addr until Close.
func Listen(ctx context.Context, addr string, cfg Config) (*Server, error) {
	api, err := New(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s, err := listen.Start(ctx, listen.Config{
		Name:    "the API",
		Addr:    addr,
		Handler: api,
		// A viewer keeps its connection, and takes none from the others.
		Connections: view.MaxViewers + others,
		WriteTime:   listen.ReadTime + max(api.cfg.Timeout, api.cfg.WholeTimeout) + sendTime,
		Grace:       lastAnswers,
		TLS:         cfg.TLS,
		Log:         api.cfg.Log,
	})
	if err != nil {
		api.Close()
		return nil, err
	}
	return &Server{s, api}, nil
}

// Close ends the streams at once, waits a short while for requests in work, then ends them and
// the replays.
func (s *Server) Close() error {
	s.api.cfg.Hub.Close()
	err := s.Server.Close()
	s.api.Close()
	return err
}
