package browser_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mirrorfleet/producer/dashboard"
	"mirrorfleet/producer/doctor"
	"mirrorfleet/producer/roundtest"
	"mirrorfleet/producer/steering"
	"mirrorfleet/producer/web"
	"mirrorfleet/shared/must"
)

// site is dashboard and API at one address, as a producer serves them, in this process.
type site struct {
	*roundtest.Fleet

	url     string
	streams atomic.Int64 // the updates that browsers get just now
}

// serve serves them over a fleet until the test's end.
func serve(t *testing.T, f *roundtest.Fleet, changes ...func(*dashboard.Config)) *site {
	t.Helper()
	orders := f.Orders(t)
	orders.Now = time.Now
	operator := must.Get(steering.NewOperator(t.Context(), orders))(t)
	t.Cleanup(operator.Close)
	cfg := dashboard.Config{
		Bus:      f.Bus,
		Guard:    roundtest.Guard(t, ""),
		Hub:      f.Hub(t),
		Buckets:  f.Buckets,
		Operator: operator,
		Doctor:   func(context.Context) (doctor.Diagnosis, error) { return doctor.Diagnosis{}, nil },
		Log:      f.Logger(),
	}
	for _, change := range changes {
		change(&cfg)
	}
	pages := must.Get(dashboard.New(cfg))(t)
	api := must.Get(web.New(web.Config{
		Bus:      f.Bus,
		Hub:      cfg.Hub,
		Limit:    f.Limiter.State,
		Buckets:  cfg.Buckets,
		Operator: operator,
		Guard:    cfg.Guard,
		Log:      f.Logger(),
	}))(t)
	s := &site{Fleet: f}
	mux := http.NewServeMux()
	mux.Handle("/api/", api)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/live/") {
			s.streams.Add(1)
			defer s.streams.Add(-1)
		}
		pages.ServeHTTP(w, r)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(func() { pages.Close(); server.Close() })
	s.url = server.URL
	return s
}

// signsIn gives ann's token, for all tabs of the test.
func (s *site) signsIn(b *tab) { (&fleet{token: roundtest.Token}).signsIn(b) }
