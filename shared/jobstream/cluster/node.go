package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// node is one server process with its directory and addresses.
type node struct {
	name, dir           string
	client, route, http string
	// routes are those that it connects to, advertise is where others are told
	// that they find it: "" for where it listens.
	routes    []string
	advertise string
	// done is closed when the process has ended; nil while none was started.
	cmd  *exec.Cmd
	done chan struct{}
}

// write makes the node's directory with its configuration, which includes a
// copy of the shipped settings. No node tells clients of others: a test says
// which ways they go.
func (n *node) write(settings []byte) error {
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return fmt.Errorf("directory of %s: %w", n.name, err)
	}
	var own strings.Builder
	fmt.Fprintf(&own, "server_name: %s\nlisten: %q\nhttp: %q\n", n.name, n.client, n.http)
	if len(n.routes) > 0 {
		urls := make([]string, len(n.routes))
		for i, route := range n.routes {
			urls[i] = strconv.Quote("nats://" + route)
		}
		fmt.Fprintf(&own, "cluster { name: test, listen: %q, no_advertise: true, routes: [%s]", n.route, strings.Join(urls, ", "))
		if n.advertise != "" {
			fmt.Fprintf(&own, ", advertise: %q", n.advertise)
		}
		own.WriteString(" }\n")
	}
	own.WriteString("include settings.conf\n")
	for name, data := range map[string][]byte{"node.conf": []byte(own.String()), "settings.conf": settings} {
		if err := os.WriteFile(filepath.Join(n.dir, name), data, 0o600); err != nil {
			return fmt.Errorf("configuration of %s: %w", n.name, err)
		}
	}
	return nil
}

// store is the node's store_dir.
func (n *node) store() string { return filepath.Join(n.dir, "store") }

// Environment is what the shipped configurations ask of it.
func Environment(store string) []string {
	return []string{
		"NATS_STORE=" + store, "NATS_PRODUCER_PASSWORD=" + password, "NATS_WORKER_PASSWORD=" + password,
		"NATS_ADMIN_PASSWORD=" + password,
	}
}

// start runs the server; its log goes to the node's directory.
func (n *node) start(binary string) error {
	log, err := os.OpenFile(filepath.Join(n.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("log of %s: %w", n.name, err)
	}
	defer log.Close()                                                     // the process has it by then
	n.cmd = exec.Command(binary, "-c", filepath.Join(n.dir, "node.conf")) //nolint:noctx // it ends by kill
	n.cmd.Env = append(os.Environ(), Environment(n.store())...)
	n.cmd.Stdout, n.cmd.Stderr = log, log
	if err := n.cmd.Start(); err != nil {
		n.cmd = nil
		return fmt.Errorf("starting %s: %w", n.name, err)
	}
	n.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		defer close(done)
		_ = cmd.Wait() // killed, on purpose
	}(n.cmd, n.done)
	return nil
}

// kill ends the process; one that has ended is fine.
func (n *node) kill() {
	if n.cmd == nil {
		return
	}
	_ = n.cmd.Process.Kill() // it may have ended by itself
	<-n.done
	n.cmd = nil
}

// frozen stops the process while do runs.
func (n *node) frozen(do func() error) error {
	if err := n.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return fmt.Errorf("stopping %s: %w", n.name, err)
	}
	err := do()
	if goErr := n.cmd.Process.Signal(syscall.SIGCONT); goErr != nil {
		return errors.Join(err, fmt.Errorf("resuming %s: %w", n.name, goErr))
	}
	return err
}

// healthy asks the node until it is, or says what its log says last.
func (n *node) healthy(ctx context.Context) error {
	if n.cmd == nil {
		return nil
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Second}
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.http+"/healthz", nil)
		if err != nil {
			return fmt.Errorf("asking %s: %w", n.name, err)
		}
		response, err := client.Do(request)
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ticker.C:
		case <-n.done:
			return fmt.Errorf("%s ended: %s", n.name, n.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("%s is not healthy: %w: %s", n.name, context.Cause(ctx), n.lastWords())
		}
	}
}

// lastWords are the last lines of the node's log.
func (n *node) lastWords() string {
	data, err := os.ReadFile(filepath.Join(n.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-1500):])
}
