package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// github knows the account of each token, as GitHub does. It runs inside this process, because
// a real fleet has no such process.
type github struct {
	url string

	server   *http.Server
	served   chan error
	mu       sync.Mutex
	accounts map[string]string
}

func startGitHub(ctx context.Context) (*github, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("a simulated GitHub: %w", err)
	}
	g := &github{url: "http://" + listener.Addr().String(), served: make(chan error, 1)}
	g.server = &http.Server{Handler: g, ReadHeaderTimeout: time.Minute}
	go func() { g.served <- g.server.Serve(listener) }()
	return g, nil
}

// ServeHTTP answers "who am I".
func (g *github) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "token ")
	g.mu.Lock()
	account := g.accounts[token]
	g.mu.Unlock()
	if account == "" {
		http.Error(w, `{"message": "Bad credentials"}`, http.StatusUnauthorized)
		return
	}
	fmt.Fprintf(w, `{"login": "miner", "id": %s}`, account) // an account's id, which this program has read from its own file
}

func (g *github) close() error {
	if err := errors.Join(g.server.Close(), <-g.served); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("a simulated GitHub: %w", err)
	}
	return nil
}

// stored is a token as a validator stores it.
type stored struct {
	UID    int    `json:"uid"`
	Hotkey string `json:"hotkey"`
	Token  string `json:"pat"`
}

// install writes what a validator has about the world's miners: their stored tokens, and the
// metagraph.
func (f *fleet) install() error {
	data, err := os.ReadFile(filepath.Join(f.dir, "world", "miners.json")) //nolint:gosec // in the folder that is this fleet's
	if err != nil {
		return fmt.Errorf("the world's miners: %w", err)
	}
	var miners []struct {
		UID      int    `json:"uid"`
		Hotkey   string `json:"hotkey"`
		GitHubID string `json:"github_id"`
		Token    string `json:"token"`
	}
	if err := json.Unmarshal(data, &miners); err != nil {
		return fmt.Errorf("the world's miners: %w", err)
	}
	accounts := map[string]string{}
	metagraph := map[int]string{}
	tokens := []stored{}
	for _, m := range miners {
		metagraph[m.UID] = m.Hotkey
		s := stored{UID: m.UID, Hotkey: m.Hotkey, Token: fmt.Sprintf("simulated-%d", m.UID)}
		switch m.Token {
		case "none":
			continue
		case "stale":
			s.Hotkey = "another"
		case "refused":
		default:
			accounts[s.Token] = m.GitHubID
		}
		tokens = append(tokens, s)
	}
	f.github.mu.Lock()
	f.github.accounts = accounts
	f.github.mu.Unlock()
	return errors.Join(f.writeJSON("world/metagraph.json", metagraph), f.writeJSON("secrets/miner_pats.json", tokens))
}

func (f *fleet) writeJSON(name string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return f.write(name, string(data)+"\n")
}

// restored puts a backup into the empty servers.
func (f *fleet) restored(ctx context.Context) error {
	if f.restore == "" {
		return nil
	}
	cmd := exec.CommandContext(ctx, f.command("producer"), "restore", f.restore, "--replicas", "3") //nolint:gosec // as typed
	cmd.Env = append(os.Environ(), f.role("producer")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("restoring %s: %w: %s", f.restore, err, out)
	}
	return nil
}
