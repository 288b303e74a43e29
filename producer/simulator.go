package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"mirrorfleet/producer/answer"
	"mirrorfleet/shared/plural"
)

// simulator is a mirror for trials, a process of its own. It is known here by
// its command and its answers alone.
type simulator struct {
	*process

	world simulated
}

// simulated is the line that the simulator prints when it serves.
type simulated struct {
	URL      string    `json:"url"`
	Miners   string    `json:"miners"`
	Registry string    `json:"registry"`
	AsOf     time.Time `json:"as_of"`
}

// startSimulator serves a world; addr is where, or "" for any free port.
func startSimulator(ctx context.Context, world, state, addr string, more ...string) (*simulator, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	p, err := startProcess("the simulated mirror", filepath.Join(state, "mirrorsim.log"), beside("mirrorsim"), nil,
		append(more, "--world", world, "--addr", addr, "--write", filepath.Join(state, "world"), "--own-user", "--exit-with-stdin")...)
	if err != nil {
		return nil, err
	}
	line, err := p.awaitReady(ctx)
	if err != nil {
		return nil, joinStop(usageOf(p, err), p)
	}
	s := &simulator{process: p}
	if err := json.Unmarshal([]byte(line), &s.world); err != nil {
		return nil, joinStop(fmt.Errorf("the simulated mirror said %q: %w", line, err), p)
	}
	return s, nil
}

// stats asks the simulator what it saw.
func (s *simulator) stats(ctx context.Context) (stats answer.Simulated, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	address, err := url.JoinPath(s.world.URL, "/sim/stats")
	if err != nil {
		return stats, fmt.Errorf("asking the simulated mirror: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return stats, fmt.Errorf("asking the simulated mirror: %w", err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return stats, fmt.Errorf("asking the simulated mirror: %w", err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&stats); err != nil {
		return stats, fmt.Errorf("what the simulated mirror saw: %w", err)
	}
	return stats, nil
}

func printSimulated(w io.Writer, v answer.Simulated) error {
	p := newPage(w)
	p.blank()
	p.textf(0, "The mirror saw %s over %s (%d at once), %.1f %% of what it allows.",
		plural.Of(v.Requests, "request"), plural.Of(v.Connections.Used, "connection"), v.Connections.MaxOpen, 100*v.LimitUsed)
	p.textf(0, "Most requests in any ten seconds: %d in fixed windows, %d sliding, %.1f by the two-window estimate.",
		v.Worst.Fixed, v.Worst.Sliding, v.Worst.TwoWindow)
	p.textf(0, "%d over the limit.", v.OverLimit)
	return p.writeTo(w)
}
