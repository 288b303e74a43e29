package session

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
)

// simulator is a simulated mirror in a process of its own. A producer does not import it:
// it knows only its command line and its answers.
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

// startSimulator starts a simulated mirror that serves a world at addr; "" for any free
// port of the loopback interface.
func startSimulator(ctx context.Context, world, state, addr string, more ...string) (*simulator, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	p, err := startProcess("the simulated mirror", filepath.Join(state, "mirrorsim.log"), Beside("mirrorsim"), nil,
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

// stats asks the simulator what it has counted. The request needs no permit: it is not
// one to the mirror's API.
func (s *simulator) stats(ctx context.Context) (stats view.Simulated, err error) {
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
		return stats, fmt.Errorf("reading what the simulated mirror has counted: %w", err)
	}
	return stats, nil
}

// simulate starts the simulated mirror and returns the round's manifest. For a resumed
// round it listens where it did before, because the manifest and the queued jobs name that
// address; the world must be the same one.
func (s *Session) simulate(ctx context.Context, resumed job.Manifest) (job.Manifest, error) {
	address := ""
	if s.cfg.Resume != "" {
		u, err := url.Parse(resumed.Mirror)
		if err != nil {
			return resumed, fmt.Errorf("the mirror of round %s: %w", resumed.Round, err)
		}
		address = u.Host
	}
	var err error
	if s.simulator, err = startSimulator(ctx, s.cfg.World, s.cfg.State, address, s.configFile()...); err != nil {
		return resumed, err
	}
	s.onClose(func() error { return s.simulator.stop(stopGrace) })
	world, files := s.simulator.world, s.cfg.Files
	files.Miners, files.Registry = world.Miners, world.Registry
	if s.cfg.Resume != "" { // another world would give another round's answers
		in, err := files.Read("", time.Time{})
		if err != nil {
			return resumed, err
		}
		return resumed, refuse(resumed, round.Given{Miners: &in.Miners, Registry: &in.Registry})
	}
	if files.AsOf == "" {
		files.AsOf = world.AsOf.Format(time.RFC3339Nano)
	}
	return files.Plan(world.URL, time.Now())
}
