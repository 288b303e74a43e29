package health

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"time"

	"mirrorfleet/shared/listen"
)

// checkTime bounds one check: the caller is a probe with its own time-out,
// a second by default.
const checkTime = 900 * time.Millisecond

// answerTime is how long an answer may take: all metrics are gathered and sent in
// a fraction of it.
const answerTime = 30 * time.Second

// Check says why a part cannot do its work now, nil when it can.
type Check func(context.Context) error

// Note is what a check returns that has something to tell of a part that can do its work:
// the process is ready.
type Note string //nolint:errname // it tells of no error

func (n Note) Error() string { return string(n) }

// errStarting is the state of a part that was named and is not there yet.
var errStarting = errors.New("not there yet")

// Server serves one process's pages.
type Server struct {
	pages *listen.Server

	// life ends with the server. Checks end with it, and not with who asked for them:
	// somebody who asks and leaves at once would have each of them begin anew.
	life  context.Context //nolint:containedctx // the server is its owner
	end   context.CancelFunc
	looks sync.WaitGroup

	mu     sync.Mutex
	checks map[string]Check
}

// Listen serves on addr until Close; parts are what must be there before the
// process can do work: each is not ready until Set. metrics may be nil.
func Listen(ctx context.Context, addr string, metrics http.Handler, log *slog.Logger, parts ...string) (*Server, error) {
	s := &Server{checks: map[string]Check{}}
	for _, part := range parts {
		s.checks[part] = func(context.Context) error { return errStarting }
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.alive)
	mux.HandleFunc("GET /readyz", s.ready)
	if metrics != nil {
		mux.Handle("GET /metrics", metrics)
	}
	s.life, s.end = context.WithCancel(context.WithoutCancel(ctx))
	var err error
	s.pages, err = listen.Start(ctx, listen.Config{
		Name:      "the pages of health and metrics",
		Addr:      addr,
		Handler:   mux,
		WriteTime: answerTime,
		Log:       log,
	})
	if err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

// Addr is where it listens. A Server that is nil listens nowhere.
func (s *Server) Addr() string {
	if s == nil {
		return ""
	}
	return s.pages.Addr()
}

// Set says how a part is checked from here on.
func (s *Server) Set(part string, check Check) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checks[part] = check
}

// Close ends all requests and checks, and waits for them. It may be called again.
func (s *Server) Close() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	s.end()
	s.mu.Unlock()
	err := s.pages.Close()
	s.looks.Wait()
	return err
}

func (s *Server) alive(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]string{"status": "alive"})
}

// Readiness is what /readyz answers.
type Readiness struct {
	Ready bool `json:"ready"`
	// Parts are "ok", a note, or why the part cannot do its work.
	Parts map[string]string `json:"parts"`
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	now := s.look() //nolint:contextcheck // a check outlives who asked: its result is kept
	status := http.StatusOK
	if !now.Ready {
		status = http.StatusServiceUnavailable
	}
	answer(w, status, now)
}

// look runs all checks at once.
func (s *Server) look() Readiness {
	ctx, cancel := context.WithTimeout(s.life, checkTime)
	defer cancel()
	s.mu.Lock()
	checks := maps.Clone(s.checks)
	if s.life.Err() == nil { // else the server is closing, and checks end at once
		s.looks.Add(1)
		defer s.looks.Done()
	}
	s.mu.Unlock()
	now := Readiness{Ready: true, Parts: map[string]string{}}
	var (
		mu   sync.Mutex
		wait sync.WaitGroup
	)
	for part, check := range checks {
		wait.Go(func() {
			err := check(ctx)
			mu.Lock()
			defer mu.Unlock()
			now.Parts[part] = "ok"
			if err != nil {
				now.Parts[part] = err.Error()
				_, only := errors.AsType[Note](err)
				now.Ready = now.Ready && only
			}
		})
	}
	wait.Wait()
	return now
}

func answer(w http.ResponseWriter, status int, what any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(what) //nolint:errchkjson // the caller has gone
}
