package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/telemetry"
)

// connect opens the streams and the limiter, on servers of its own for a local
// round.
func (s *Session) connect(ctx context.Context) (err error) {
	cfg := &s.cfg.Servers
	if s.cfg.Local {
		if err := s.startServers(ctx); err != nil {
			return err
		}
		cfg.NATS, cfg.Redis = s.local.NATSURL(), s.local.RedisURL()
	}
	if s.fleet, err = fleet.Open(ctx, *cfg); err != nil {
		return err
	}
	s.onClose(s.fleet.Close)
	s.cfg.Observability.Follow(s.fleet)
	if !s.cfg.Local { // whose server is this process's own
		s.lookAtServers(ctx)
	}
	if err := s.declareEgresses(ctx); err != nil {
		return err
	}
	if telemetry.Measuring() {
		if err := round.KeepLast(ctx, s.fleet.Bus); err != nil {
			s.cfg.Log.WarnContext(ctx, "when a round was last concluded could not be looked up", "error", err)
		}
	}
	return nil
}

// lookAtServers warns of each NATS server that confirms writes before they are on
// its disk. It refuses none: the round would lose something only if that machine
// crashed.
func (s *Session) lookAtServers(ctx context.Context) {
	told, silent, err := s.fleet.Servers(ctx)
	if err != nil {
		s.cfg.Log.InfoContext(ctx, "whether writes are on the disk when they are confirmed is not known", "error", err)
		return
	}
	if len(silent) > 0 {
		s.cfg.Log.InfoContext(ctx, "some NATS servers do not tell whether writes are on the disk when they are confirmed", "silent", silent)
	}
	for _, server := range told {
		if server.JetStream && !server.SyncAlways {
			s.cfg.Log.WarnContext(ctx, "a NATS server confirms writes before they are on its disk: a crash of its machine can lose them",
				"server", server.Name, "sync_interval", server.SyncInterval, "want", "always")
		}
	}
}

// declareEgresses has the streams say which egresses the fleet has, before
// anything is published.
func (s *Session) declareEgresses(ctx context.Context) error {
	return usageOfEgress(round.Declare(ctx, s.roundConfig(), s.cfg.Egresses))
}

// usageOfEgress makes wrong usage of an egress that the fleet does not have.
func usageOfEgress(err error) error {
	if errors.Is(err, job.ErrUndeclared) || errors.Is(err, round.ErrDeclared) {
		return command.UsageError{Err: err}
	}
	return err
}

func (s *Session) startServers(ctx context.Context) (err error) {
	if s.local, err = local.Start(ctx, local.Config{Dir: s.cfg.State, Log: s.cfg.Log}); err != nil {
		return command.UsageError{Err: err}
	}
	s.onClose(s.local.Close)
	return nil
}

// localGrace is how long local workers go on with their jobs when they are
// stopped: whoever pressed Ctrl-C waits for them, and a resumed round does the
// rest.
const localGrace = time.Second

// startWorkers starts the local workers on the servers of this process.
func (s *Session) startWorkers(ctx context.Context, mirror string) error {
	env := []string{command.Variable("nats", s.cfg.Servers.NATS), command.Variable("redis", s.cfg.Servers.Redis)}
	args := []string{
		"--mirror", mirror, "--egress", s.cfg.Servers.Limit.Egress,
		"--limit-requests", fmt.Sprint(s.cfg.Servers.Limit.Limit), "--limit-window", s.cfg.Servers.Limit.Window.String(),
		"--limit-horizon", s.cfg.Servers.Limit.Horizon.String(), "--limit-rate", fmt.Sprint(s.cfg.Servers.Limit.Rate),
		"--log-level", s.cfg.LogLevel, "--grace", localGrace.String(),
		"--listen", "", // the address of this process is none for several
	}
	for _, file := range slices.Concat(command.NATSFiles(), command.RedisFiles()) {
		args = append(args, "--"+file, "") // those of a configuration are for other servers
	}
	started, err := startWorkers(ctx, s.cfg.Log, s.cfg.State, s.cfg.Workers, env, append(args, s.configFile()...)...)
	if err != nil {
		return err
	}
	s.workers = started
	s.onClose(started.stop)
	return nil
}

// configFile hands the configuration file on to a process beside this one. The
// environment does so by itself.
func (s *Session) configFile() []string {
	if s.cfg.ConfigFile == "" {
		return nil
	}
	return []string{"--config", s.cfg.ConfigFile}
}

// roundConfig is what every round of the session has in common.
func (s *Session) roundConfig() round.Config {
	return round.Config{
		Bus: s.fleet.Bus, Name: s.name, Egress: s.cfg.Servers.Limit.Egress, Takeover: s.cfg.Takeover, Reconcile: s.cfg.Reconcile,
		SoleProducer: s.cfg.Local, AllIssues: s.cfg.AllIssues, Log: s.cfg.Log,
	}
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

// openState makes the directory of a local fleet. One whose rounds are resumed or
// replayed must be there.
func (s *Session) openState() error {
	if !s.cfg.Local {
		return nil
	}
	if s.cfg.Resume != "" {
		if err := HasRounds(s.cfg.State); err != nil {
			return err
		}
	}
	return makeState(s.cfg.State)
}

// HasRounds says whether a local round was ever run on a directory.
func HasRounds(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "nats")); err != nil {
		return command.Usage("--state %s: no local round was run there: %w", dir, err)
	}
	return nil
}
