package mirrorsim

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"mirrorfleet/shared/ratelimit/windows"
)

// Stats are a server's counts since its start or the last Reset. Requests under /sim/ are
// in none of them.
type Stats struct {
	Arrivals

	// ByAddress are the figures of each address that requests came from. The figures above are for
	// all addresses: the worst windows and the largest share of any one address.
	ByAddress map[string]Arrivals   `json:"by_address"`
	ByRoute   map[string]RouteStats `json:"by_route"`
	// ByStatus has "none" for requests that got no answer.
	ByStatus map[string]int `json:"by_status"`
	// Faults counts answers that went wrong on purpose, and "gone": clients
	// that gave up while an answer was held back.
	Faults      map[Fault]int `json:"faults"`
	Connections Connections   `json:"connections"`
	// Limit is null when there is none.
	Limit *LimitStats `json:"limit"`
}

// Arrivals are the figures that are compared with the limit of an address.
type Arrivals struct {
	Requests int `json:"requests"`
	// OverLimit counts the requests that got 429 because of the limit.
	OverLimit int `json:"over_limit"`
	// Worst is the maximum number of requests in any one window, over all phases, for each
	// way of counting.
	Worst Worst `json:"worst"`
	// LimitUsed is the rate between the first and the last arrival as a share of the
	// limit's rate; 0 without a limit or with fewer than two requests.
	LimitUsed float64 `json:"limit_used"`
}

// RouteStats is one route's part.
type RouteStats struct {
	Requests int            `json:"requests"`
	Statuses map[string]int `json:"statuses"`
}

// Connections counts the connections that carried a request to the mirror:
// all of them, those that are open, and the most that were open at once.
type Connections struct {
	Used    int `json:"used"`
	Open    int `json:"open"`
	MaxOpen int `json:"max_open"`
}

// LimitStats is the limit and how often it was exceeded.
type LimitStats struct {
	Requests          int     `json:"requests"`
	WindowSeconds     float64 `json:"window_seconds"`
	MitigationSeconds float64 `json:"mitigation_seconds"`
	// Tripped counts the mitigation periods by the count that started them.
	Tripped map[string]int `json:"tripped"`
}

// Worst is the maximum number of requests in any window, by way of counting.
type Worst struct {
	Fixed     int     `json:"fixed"`
	Sliding   int     `json:"sliding"`
	TwoWindow float64 `json:"two_window"`
}

// figures are the counts behind Stats. Arrivals take eight bytes a request.
type figures struct {
	arrivals map[netip.Addr][]time.Duration
	over     map[netip.Addr]int
	routes   map[string]RouteStats
	statuses map[string]int
	faults   map[Fault]int
	tripped  map[string]int
}

// newFigures are counts of 0.
func newFigures() figures {
	return figures{
		arrivals: map[netip.Addr][]time.Duration{},
		over:     map[netip.Addr]int{},
		routes:   map[string]RouteStats{},
		statuses: map[string]int{},
		faults:   map[Fault]int{},
		tripped:  map[string]int{},
	}
}

// arrived counts a request by its address, time and route.
func (f *figures) arrived(from netip.Addr, now time.Duration, route string) {
	f.arrivals[from] = append(f.arrivals[from], now)
	r, known := f.routes[route]
	if !known {
		r.Statuses = map[string]int{}
	}
	r.Requests++
	f.routes[route] = r
}

// refused counts a request over the limit.
func (f *figures) refused(from netip.Addr, v verdict) {
	f.over[from]++
	if v.by != "" {
		f.tripped[v.by]++
	}
}

// count notes the end of a request, before the first byte of its answer leaves. A request
// that arrived before a Reset may end after it: its route is then unknown.
func (s *Server) count(route, status string, fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, known := s.figures.routes[route]; known {
		r.Statuses[status]++
	}
	s.figures.statuses[status]++
	if fault != "" {
		s.figures.faults[fault]++
	}
}

// Stats are the counts up to now.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	f := s.figures.clone()
	s.mu.Unlock()
	stats := Stats{
		ByRoute:     f.routes,
		ByStatus:    f.statuses,
		Faults:      f.faults,
		Connections: s.conns.snapshot(),
		ByAddress:   map[string]Arrivals{},
	}
	for from, arrivals := range f.arrivals {
		one := compare(arrivals, f.over[from], s.cfg)
		stats.ByAddress[from.String()] = one
		stats.add(one)
	}
	if s.cfg.Limit > 0 {
		stats.Limit = &LimitStats{
			Requests:          s.cfg.Limit,
			WindowSeconds:     s.cfg.Window.Seconds(),
			MitigationSeconds: s.cfg.Mitigation.Seconds(),
			Tripped:           f.tripped,
		}
	}
	return stats
}

// compare counts one address's arrivals as its limit does.
func compare(arrivals []time.Duration, over int, cfg Config) Arrivals {
	worst := windows.Worst(arrivals, cfg.Window)
	n := len(arrivals)
	return Arrivals{
		Requests:  n,
		OverLimit: over,
		Worst:     Worst{Fixed: worst.Fixed, Sliding: worst.Sliding, TwoWindow: worst.TwoWindow},
		LimitUsed: share(n, arrivals[n-1]-arrivals[0], cfg),
	}
}

// add adds the figures of another address.
func (a *Arrivals) add(one Arrivals) {
	a.Requests += one.Requests
	a.OverLimit += one.OverLimit
	a.Worst.Fixed = max(a.Worst.Fixed, one.Worst.Fixed)
	a.Worst.Sliding = max(a.Worst.Sliding, one.Worst.Sliding)
	a.Worst.TwoWindow = max(a.Worst.TwoWindow, one.Worst.TwoWindow)
	a.LimitUsed = max(a.LimitUsed, one.LimitUsed)
}

// share is the rate (n−1)/span as a share of limit/window: n requests have n−1 gaps.
func share(n int, span time.Duration, cfg Config) float64 {
	if cfg.Limit == 0 || span <= 0 {
		return 0
	}
	return float64(n-1) / span.Seconds() * cfg.Window.Seconds() / float64(cfg.Limit)
}

// clone lets Stats work on the figures without holding up requests.
func (f *figures) clone() figures {
	routes := make(map[string]RouteStats, len(f.routes))
	for name, r := range f.routes {
		routes[name] = RouteStats{r.Requests, maps.Clone(r.Statuses)}
	}
	arrivals := make(map[netip.Addr][]time.Duration, len(f.arrivals))
	for from, times := range f.arrivals {
		arrivals[from] = slices.Clone(times)
	}
	return figures{
		arrivals: arrivals,
		over:     maps.Clone(f.over),
		routes:   routes,
		statuses: maps.Clone(f.statuses),
		faults:   maps.Clone(f.faults),
		tripped:  maps.Clone(f.tripped),
	}
}

// control serves the simulator's own requests, which are not counted.
func (s *Server) control(mux *http.ServeMux) {
	mux.HandleFunc("GET /sim/stats", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		_ = enc.Encode(s.Stats()) // a client that went away needs no answer
	})
	mux.HandleFunc("POST /sim/reset", func(w http.ResponseWriter, _ *http.Request) {
		s.Reset()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("/sim/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "want GET /sim/stats or POST /sim/reset", http.StatusNotFound)
	})
}
