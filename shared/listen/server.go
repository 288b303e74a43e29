package listen

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Config names the handler, and the address where it is served.
type Config struct {
	// Name names the handler in logs and errors.
	Name string
	// Addr is host:port. Required.
	Addr string
	// Handler answers. Required.
	Handler http.Handler
	// Connections is how many there are at once. Default: 64, for a fleet's page has
	// a handful of readers.
	Connections int
	// WriteTime is how long an answer may take, from the request's header on. 0 is
	// for ever.
	WriteTime time.Duration
	// Grace is how long requests under way may still take when Close is called.
	Grace time.Duration
	// TLS is how it is served; nil for plain HTTP.
	TLS *tls.Config
	// Log hears of a server that ends by itself. Default: slog.Default().
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Connections = cmp.Or(c.Connections, 64)
	c.Log = cmp.Or(c.Log, slog.Default())
	return c
}

//nolint:staticcheck // each error begins with its field's name
func (c Config) validate() error {
	switch {
	case c.Handler == nil:
		return errors.New("Handler is nil, want one")
	case c.Connections < 1:
		return fmt.Errorf("Connections is %d, want at least 1", c.Connections)
	case c.WriteTime < 0 || c.Grace < 0:
		return fmt.Errorf("WriteTime is %s and Grace %s, want 0 or more", c.WriteTime, c.Grace)
	}
	return nil
}

// Server serves until Close.
type Server struct {
	cfg      Config
	http     *http.Server
	listener net.Listener
	done     chan struct{} // closed when serving has ended
	once     sync.Once
	err      error
}

// Start listens and serves until Close; ctx ends the start alone.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	listener, err := on(ctx, cfg.Addr, cfg.Connections)
	if err != nil {
		return nil, err
	}
	if cfg.TLS != nil {
		listener = tls.NewListener(listener, cfg.TLS)
	}
	s := &Server{
		cfg:      cfg,
		http:     HTTP(cfg.Handler, cfg.WriteTime, cfg.Log),
		listener: listener,
		done:     make(chan struct{}),
	}
	go s.serve()
	return s, nil
}

func (s *Server) serve() {
	defer close(s.done)
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		s.cfg.Log.Error(s.cfg.Name+": no longer served", "error", err)
	}
}

// Addr is where it listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close lets requests under way end for the grace time, then ends all, and waits for
// the listener's goroutine. It may be called again, and by several at once: each
// returns when all has ended.
func (s *Server) Close() error {
	s.once.Do(s.stop)
	return s.err
}

func (s *Server) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Grace)
	defer cancel()
	if s.err = s.http.Shutdown(ctx); errors.Is(s.err, context.DeadlineExceeded) {
		s.err = s.http.Close()
	}
	<-s.done // where Serve comes after, it closes the listener itself
	if s.err != nil {
		s.err = fmt.Errorf("closing %s: %w", s.cfg.Name, s.err)
	}
}
