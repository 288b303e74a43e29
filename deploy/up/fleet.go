package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mirrorfleet/shared/certs/authority"
)

// valid is how long certificates are valid: longer than anybody runs such a fleet.
const valid = 90 * 24 * time.Hour

// drain is a worker's time to finish its jobs.
const drain = 5 * time.Second

// fleet is what runs, with its folder.
type fleet struct {
	settings

	ca *authority.Authority
	// passwords are by the name of their variable, which ends in _PASSWORD. addresses are where
	// processes listen, by their names; a NATS server has three.
	passwords, addresses map[string]string

	servers   []*process // NATS and Redis
	mirror    *process
	producers []*process
	others    []*process // workers and gateways
	github    *github
}

// What a fleet is made of.
//
//nolint:gochecknoglobals // constant lists
var (
	egresses = []string{"north", "south"}
	// sources are the addresses of the egresses. Linux has all of 127.0.0.0/8.
	sources = []string{"127.0.0.1", "127.0.0.2"}
	nodes   = []string{"nats-1", "nats-2", "nats-3"}
	roles   = []string{"producer", "worker", "viewer"}
	users   = []string{
		"NATS_PRODUCER", "NATS_WORKER", "NATS_VIEWER", "NATS_ADMIN", "NATS_ROUTE", "REDIS_PRODUCER", "REDIS_WORKER",
	}
)

// newFleet makes the folder, the secrets and the addresses.
func newFleet(s settings) (*fleet, error) {
	f := &fleet{settings: s, passwords: map[string]string{}, addresses: map[string]string{}}
	for _, name := range []string{"log", "run", "secrets", "world", "tmp"} {
		//nolint:gosec // the folder is whichever the caller names
		if err := os.MkdirAll(filepath.Join(f.dir, name), 0o700); err != nil {
			return nil, fmt.Errorf("the fleet's folder: %w", err)
		}
	}
	if err := f.secrets(); err != nil {
		return nil, err
	}
	return f, f.listen()
}

// secrets makes the authority and the passwords.
func (f *fleet) secrets() (err error) {
	if f.ca, err = authority.New(filepath.Join(f.dir, "secrets"), "mirrorfleet up", time.Now().Add(valid)); err != nil {
		return err
	}
	for _, name := range slices.Concat(nodes, roles, []string{"redis"}) {
		if _, _, err := f.ca.Issue(name, time.Now().Add(valid)); err != nil {
			return err
		}
	}
	for _, user := range users {
		f.passwords[user] = rand.Text()
		if err := f.write("secrets/"+strings.ToLower(user), f.passwords[user]+"\n"); err != nil {
			return err
		}
	}
	return f.write("secrets/api-token", rand.Text()+"\n")
}

func (f *fleet) write(name, text string) error {
	//nolint:gosec // as above
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
		return fmt.Errorf("the fleet's folder: %w", err)
	}
	return nil
}

// run starts everything, says what to do with it, and waits until ctx ends. Processes that use
// others stop before them.
func (f *fleet) run(ctx context.Context, say func(*fleet, time.Duration) error) (err error) {
	began := time.Now()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	if f.github, err = startGitHub(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.github.close()) }()
	if err := f.describe(); err != nil {
		return err
	}
	starting, cancel := context.WithTimeoutCause(ctx, f.patience, fmt.Errorf("not within %s", f.patience))
	defer cancel()
	// The mirror writes the files of its world, and the servers form their cluster.
	below := slices.Concat([]*process{f.mirror}, f.servers)
	under := start(fail, below) //nolint:contextcheck // it ends after ctx
	defer func() { err = errors.Join(err, under.stop()) }()
	if err := ready(starting, below); err != nil {
		return first(ctx, err)
	}
	if err := errors.Join(f.install(), f.restored(starting)); err != nil {
		return first(ctx, err)
	}
	above := slices.Concat(f.producers, f.others)
	over := start(fail, above) //nolint:contextcheck // as above
	defer func() { err = errors.Join(err, over.stop()) }()
	if err := ready(starting, above); err != nil {
		return first(ctx, err)
	}
	if err := say(f, time.Since(began)); err != nil {
		return err
	}
	<-ctx.Done()
	return first(ctx, nil)
}

// first says why the fleet ended. A process's own error comes from its group. A signal is no
// error.
func first(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // what failed has ended the fleet, and is told by its group
	}
	return err
}
