package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"mirrorfleet/producer/access"
	"mirrorfleet/producer/dashboard"
	"mirrorfleet/producer/session"
	"mirrorfleet/producer/steering"
	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web"
	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/listen"
)

const (
	// lastAnswers is how long a site that closes waits for requests in work.
	lastAnswers = 2 * time.Second
	// others is how many connections there are beside those of viewers, and connections how many
	// there are in all. Viewers keep theirs, those of the API and those of the dashboard, and
	// take none from the others.
	others      = 64
	connections = 2*view.MaxViewers + others
)

// site is what a producer serves over HTTP, with what was begun there.
type site struct {
	hub      *view.Hub
	operator *steering.Operator
	pages    *dashboard.Dashboard // nil before it listens
	server   *listen.Server       // nil before it listens
}

// url is the address of the dashboard, without TLS.
func (s *site) url() string { return "http://" + s.server.Addr() + "/" }

// Close ends the streams at once, waits a short while for requests in work, then ends them and
// what was ordered.
func (s *site) Close() (err error) {
	if s.pages != nil {
		s.pages.Close()
	}
	s.hub.Close()
	if s.server != nil {
		err = s.server.Close()
	}
	s.operator.Close()
	return err
}

// startSite serves the API and the dashboard until Close. What is ordered there ends with ctx, too.
func startSite(ctx context.Context, a api, f *fleet.Fleet, orders session.Orders, log *slog.Logger) (*site, error) {
	guard, err := access.New(a.access)
	if err != nil {
		return nil, command.Usage("--%s: %w", a.flag, err)
	}
	var secure *tls.Config
	if a.files.Given() {
		if secure, err = certs.Server(a.files, log); err != nil {
			return nil, command.UsageError{Err: err}
		}
	}
	operator, err := steering.NewOperator(ctx, steering.Config{
		Bus:    f.Bus,
		Replay: orders.Replay,
		Cancel: orders.Cancel,
		Egress: f.Operator,
		Log:    log,
	})
	if err != nil {
		return nil, err
	}
	s := &site{hub: view.NewHub(ctx, f.Bus, log), operator: operator}
	if err := s.listen(ctx, a, f, guard, secure, log); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// listen serves on the address.
func (s *site) listen(ctx context.Context, a api, f *fleet.Fleet, guard *access.Guard, secure *tls.Config, log *slog.Logger) error {
	answers, err := web.New(web.Config{
		Bus:      f.Bus,
		Hub:      s.hub,
		Limit:    f.Limiter.State,
		Buckets:  f.Buckets,
		Operator: s.operator,
		Guard:    guard,
		Log:      log,
	})
	if err != nil {
		return err
	}
	s.pages, err = dashboard.New(dashboard.Config{
		Bus:      f.Bus,
		Guard:    guard,
		Hub:      s.hub,
		Buckets:  f.Buckets,
		Jaeger:   a.jaeger,
		Operator: s.operator,
		Doctor:   a.doctor,
		Log:      log,
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/api/", answers)
	mux.Handle("/", s.pages)
	s.server, err = listen.Start(ctx, listen.Config{
		Name:        "the API and the dashboard",
		Addr:        a.addr,
		Handler:     mux,
		Connections: connections,
		WriteTime:   answers.WriteTime(),
		Grace:       lastAnswers,
		TLS:         secure,
		Log:         log,
	})
	if err != nil {
		return command.Usage("--%s: %w", a.flag, err)
	}
	return nil
}
