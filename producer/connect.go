package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/telemetry"
)

// connect opens the streams and the limiter, on servers of its own for a local
// round.
func (s *session) connect(ctx context.Context) error {
	cfg := fleet.FromFlags(s.flags, "producer", s.log)
	keys, err := keysOf(s.flags)
	if err != nil {
		return err
	}
	cfg.Streams.Keys = keys
	if s.options.local {
		if err := s.startServers(ctx); err != nil {
			return err
		}
		cfg.NATS, cfg.Redis = s.local.NATSURL(), s.local.RedisURL()
		cfg.Limit.Horizon = s.horizon()
	}
	if s.wire, err = fleet.Open(ctx, cfg); err != nil {
		return err
	}
	s.onClose(s.wire.Close)
	s.seeing.Follow(s.wire)
	if !s.options.local { // whose server is this process's own
		s.lookAtServers(ctx)
	}
	if err := s.declareEgresses(ctx); err != nil {
		return err
	}
	if telemetry.Measuring() {
		if err := round.KeepLast(ctx, s.wire.Bus); err != nil {
			s.log.WarnContext(ctx, "when a round was last concluded could not be looked up", "error", err)
		}
	}
	s.servers = cfg
	return nil
}

// lookAtServers warns of each NATS server that confirms writes before they are on
// its disk. It refuses none: the round would lose something only if that machine
// crashed.
func (s *session) lookAtServers(ctx context.Context) {
	told, silent, err := s.wire.Servers(ctx)
	if err != nil {
		s.log.InfoContext(ctx, "whether writes are on the disk when they are confirmed is not known", "error", err)
		return
	}
	if len(silent) > 0 {
		s.log.InfoContext(ctx, "some NATS servers do not tell whether writes are on the disk when they are confirmed", "silent", silent)
	}
	for _, server := range told {
		if server.JetStream && !server.SyncAlways {
			s.log.WarnContext(ctx, "a NATS server confirms writes before they are on its disk: a crash of its machine can lose them",
				"server", server.Name, "sync_interval", server.SyncInterval, "want", "always")
		}
	}
}

// declareEgresses has the streams say which egresses the fleet has, before
// anything is published.
func (s *session) declareEgresses(ctx context.Context) error {
	setting, err := egressesOf(s.flags)
	if err != nil {
		return err
	}
	err = round.Declare(ctx, round.Config{
		Bus: s.wire.Bus, Name: s.name, Egress: s.flags.String("egress"), Takeover: s.flags.Duration("takeover"),
		SoleProducer: s.options.local, Log: s.log,
	}, setting)
	return usageOfEgress(err)
}

// usageOfEgress makes wrong usage of an egress that the fleet does not have.
func usageOfEgress(err error) error {
	if errors.Is(err, job.ErrUndeclared) || errors.Is(err, round.ErrDeclared) {
		return command.UsageError{Err: err}
	}
	return err
}

func (s *session) startServers(ctx context.Context) (err error) {
	if s.local, err = local.Start(ctx, local.Config{Dir: s.options.state, Log: s.log}); err != nil {
		return command.UsageError{Err: err}
	}
	s.onClose(s.local.Close)
	return nil
}

// horizon is how far ahead a local fleet reserves: each process holds at most
// one reservation, so a slot each and one to spare. A local round starts with
// an empty bucket, which costs a wait of this length.
func (s *session) horizon() time.Duration { return localHorizon(s.flags, s.options.workers) }

func localHorizon(c *cli.Command, workers int) time.Duration {
	if c.IsSet("limit-horizon") {
		return c.Duration("limit-horizon")
	}
	const slot = 250 * time.Millisecond // a little more than one at the full rate
	processes := workers + 1
	return time.Duration(processes+1) * slot
}

// localGrace is how long local workers go on with their jobs when they are
// stopped: whoever pressed Ctrl-C waits for them, and a resumed round does the
// rest.
const localGrace = time.Second

// startWorkers starts the local workers on the servers of this process.
func (s *session) startWorkers(ctx context.Context, m job.Manifest) error {
	env := []string{command.Variable("nats", s.servers.NATS), command.Variable("redis", s.servers.Redis)}
	args := []string{
		"--mirror", m.Mirror, "--egress", s.servers.Limit.Egress,
		"--limit-requests", fmt.Sprint(s.servers.Limit.Limit), "--limit-window", s.servers.Limit.Window.String(),
		"--limit-horizon", s.servers.Limit.Horizon.String(), "--limit-rate", fmt.Sprint(s.servers.Limit.Rate),
		"--log-level", s.flags.String("log-level"), "--grace", localGrace.String(),
		"--listen", "", // the address of this process is none for several
	}
	for _, file := range slices.Concat(command.NATSFiles(), command.RedisFiles()) {
		args = append(args, "--"+file, "") // those of a configuration are for other servers
	}
	started, err := startWorkers(ctx, s.log, s.options.state, s.options.workers, env, append(args, configOf(s.flags)...)...)
	if err != nil {
		return err
	}
	s.fleet = started
	s.onClose(started.stop)
	return nil
}

// configOf hands the configuration file on to a process beside this one. The
// environment does so by itself.
func configOf(c *cli.Command) []string {
	if path := c.String("config"); path != "" {
		return []string{"--config", path}
	}
	return nil
}

func newID(now time.Time) (string, error) {
	var random [3]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", fmt.Errorf("naming the round: %w", err)
	}
	return round.NewID(now, random), nil
}

// makeState makes the state directory, so that logs can be written before
// anything else is.
func makeState(dir string) error {
	if err := local.MakeDir(dir); err != nil {
		return command.Usage("--state: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "world"), 0o700); err != nil {
		return command.Usage("--state %s: %w", dir, errors.Join(err, errors.New("want a directory that can be written")))
	}
	return nil
}
