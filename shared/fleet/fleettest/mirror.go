package fleettest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
)

// Mirror is a simulated mirror, a process of its own.
type Mirror struct {
	URL      string `json:"url"`
	Miners   string `json:"miners"`
	Registry string `json:"registry"`
	AsOf     string `json:"as_of"`
	// Stop ends it before the test's end.
	Stop func() `json:"-"`
}

// Simulate serves what the arguments say until the test ends, and writes its
// inputs, into a folder of its own unless they name another.
func Simulate(tb testing.TB, args ...string) Mirror {
	tb.Helper()
	args = append([]string{"--write", tb.TempDir(), "--exit-with-stdin"}, args...)
	cmd := Command(context.WithoutCancel(tb.Context()), tb, "mirrorsim", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, stdout := must.Get(cmd.StdinPipe())(tb), must.Get(cmd.StdoutPipe())(tb)
	must.Do(tb, cmd.Start())
	m := Mirror{Stop: sync.OnceFunc(func() { _ = stdin.Close(); _ = cmd.Wait() })}
	tb.Cleanup(m.Stop)
	if err := json.NewDecoder(stdout).Decode(&m); err != nil {
		m.Stop()
		tb.Fatalf("%v: %v\n%s", cmd.Args, err, stderr.String())
	}
	return m
}

// Stats is what a simulated mirror has counted.
func Stats(ctx context.Context, address string) (s mirrorsim.Stats, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/sim/stats", nil)
	if err != nil {
		return s, fmt.Errorf("asking a simulated mirror: %w", err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return s, fmt.Errorf("asking a simulated mirror: %w", err)
	}
	defer response.Body.Close()

	if err = json.NewDecoder(response.Body).Decode(&s); err != nil {
		err = fmt.Errorf("reading what a simulated mirror counted: %w", err)
	}
	return s, err
}
