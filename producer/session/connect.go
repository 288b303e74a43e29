package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/telemetry"
)

// connect opens the streams and the limiter; a local session starts its servers first.
// A producer that measures also stores when a round was last concluded: the producer
// that concluded it may have died before it could (round.KeepLast).
func (s *Session) connect(ctx context.Context) error {
	if err := s.attach(ctx); err != nil {
		return err
	}
	if !s.cfg.Local { // a local session has started its NATS with sync_interval always
		s.lookAtServers(ctx)
	}
	if err := s.declareEgresses(ctx); err != nil {
		return err
	}
	if telemetry.Measuring() {
		if err := round.KeepLast(ctx, s.fleet.Bus); err != nil {
			s.cfg.Log.WarnContext(ctx, "could not look up when a round was last concluded", "error", err)
		}
	}
	return nil
}

// attach opens the streams and the limiter, and nothing more: it declares no egress.
func (s *Session) attach(ctx context.Context) (err error) {
	cfg := &s.cfg.Servers
	if s.cfg.Local {
		if err := s.startServers(ctx); err != nil {
			return err
		}
		cfg.NATS, cfg.Redis = s.local.NATSURL(), s.local.RedisURL()
	}
	cfg.Process = "producer " + s.name // two producers may stand beside each other
	if s.fleet, err = fleet.Open(ctx, *cfg); err != nil {
		return err
	}
	s.onClose(s.fleet.Close)
	s.cfg.Observability.Follow(s.fleet)
	return nil
}

// lookAtServers warns of each NATS server that confirms writes before they are on its
// disk (sync_interval is not always). It refuses none of them: something is lost only if
// that machine crashes. Servers that do not answer, for lack of a permission, are only
// noted.
func (s *Session) lookAtServers(ctx context.Context) {
	told, silent, err := s.fleet.Servers(ctx)
	if err != nil {
		s.cfg.Log.InfoContext(ctx, "unknown whether NATS confirms writes only when they are on disk", "error", err)
		return
	}
	if len(silent) > 0 {
		s.cfg.Log.InfoContext(ctx, "some NATS servers do not say whether they confirm writes only when they are on disk", "silent", silent)
	}
	for _, server := range told {
		if server.JetStream && !server.SyncAlways {
			s.cfg.Log.WarnContext(ctx, "a NATS server confirms writes before they are on disk: a crash of its machine can lose them",
				"server", server.Name, "sync_interval", server.SyncInterval, "want", "always")
		}
	}
}

// declareEgresses stores which egresses the fleet has. It comes before anything is
// published, so that no worker of another egress takes a job first.
func (s *Session) declareEgresses(ctx context.Context) error {
	return usageOfEgress(round.Declare(ctx, s.roundConfig(), s.cfg.Egresses))
}

// usageOfEgress makes wrong usage of an egress that is not declared, and of egresses
// that a running producer has declared otherwise.
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

// localGrace is how long local workers continue their jobs after they are told to stop.
// It is short because a user who has pressed Ctrl-C waits for them; a resumed round runs
// the rest again.
const localGrace = time.Second

// startWorkers starts the local workers on the servers of this process. They get every
// setting that could differ from the producer's as an argument, because an argument takes
// precedence over the configuration file and the environment. URLs that contain passwords or
// tokens go into the environment: other users can read arguments.
func (s *Session) startWorkers(ctx context.Context, mirror string) error {
	env := []string{command.Variable("nats", s.cfg.Servers.NATS), command.Variable("redis", s.cfg.Servers.Redis)}
	args := []string{
		"--mirror", mirror, "--egress", s.cfg.Servers.Limit.Egress,
		"--limit-requests", fmt.Sprint(s.cfg.Servers.Limit.Limit), "--limit-window", s.cfg.Servers.Limit.Window.String(),
		"--limit-horizon", s.cfg.Servers.Limit.Horizon.String(), "--limit-rate", fmt.Sprint(s.cfg.Servers.Limit.Rate),
		"--limit-background", fmt.Sprint(cmp.Or(s.cfg.Servers.Limit.Minimum, ratelimit.DefaultMinimum)),
		"--log-level", s.cfg.LogLevel, "--grace", localGrace.String(),
		"--listen", "", // several processes cannot share the address of --listen
	}
	if address := s.cfg.Servers.WhoAmI; address == "" {
		args = append(args, "--whoami-url", "")
	} else {
		env = append(env, command.Variable("whoami-url", address)) // its path may hold a token
	}
	if source := s.cfg.Servers.Source; source.IsValid() {
		args = append(args, "--source-address", source.String())
	}
	for _, file := range slices.Concat(command.NATSFiles(), command.RedisFiles()) {
		args = append(args, "--"+file, "") // a configuration file names credentials of other servers
	}
	started, err := startWorkers(ctx, s.cfg.Log, s.cfg.State, s.cfg.Workers, env, append(args, s.configFile()...)...)
	if err != nil {
		return err
	}
	s.workers = started
	s.onClose(started.stop)
	return nil
}

// configFile returns the arguments that pass the configuration file to a child process.
// The environment is inherited without them.
func (s *Session) configFile() []string {
	if s.cfg.ConfigFile == "" {
		return nil
	}
	return []string{"--config", s.cfg.ConfigFile}
}

// roundConfig returns what all rounds of the session have in common. A local session is
// the only producer of its servers: it takes a round at once, whichever dead process held
// it.
func (s *Session) roundConfig() round.Config {
	return round.Config{
		Bus:          s.fleet.Bus,
		Name:         s.name,
		Egress:       s.cfg.Servers.Limit.Egress,
		Takeover:     s.cfg.Takeover,
		Reconcile:    s.cfg.Reconcile,
		SoleProducer: s.cfg.Local,
		AllIssues:    s.cfg.AllIssues,
		Log:          s.cfg.Log,
	}
}

// makeState makes the state directory before anything is started, because the logs of
// the child processes are written there.
func makeState(dir string) error {
	if err := local.MakeDir(dir); err != nil {
		return command.Usage("--state: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "world"), 0o700); err != nil {
		return command.Usage("--state %s: %w", dir, errors.Join(err, errors.New("want a directory that can be written")))
	}
	return nil
}

// openState makes the directory of a local fleet. A session that resumes or replays a
// round refuses a directory without rounds: it is most often a misspelt --state.
func (s *Session) openState() error {
	if !s.cfg.Local {
		return nil
	}
	if s.cfg.Resume != "" {
		if err := hasRounds(s.cfg.State); err != nil {
			return err
		}
	}
	return makeState(s.cfg.State)
}

// OpenState returns the address of NATS for a directory of local rounds, for a command that
// only reads them: that of the process that runs on it, or of servers that are started here
// until closeServers. A directory without streams is refused and not made, because it has
// nothing to show. A producer that starts between the two looks makes Start fail with its
// name.
func OpenState(ctx context.Context, dir string, log *slog.Logger) (address string, closeServers func() error, err error) {
	found, err := local.Find(dir)
	if err == nil {
		return found.NATS, func() error { return nil }, nil
	}
	if !errors.Is(err, local.ErrNotRunning) {
		return "", nil, command.Usage("--state: %w", err)
	}
	if err := hasRounds(dir); err != nil {
		return "", nil, err
	}
	servers, err := local.Start(ctx, local.Config{Dir: dir, Log: log})
	if err != nil {
		return "", nil, command.UsageError{Err: fmt.Errorf("--state: %w", err)}
	}
	return servers.NATSURL(), servers.Close, nil
}

// hasRounds returns nil if a local round was ever run on a directory, and a usage error
// if not.
func hasRounds(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "nats")); err != nil {
		return command.Usage("--state %s: no local round was run there: %w", dir, err)
	}
	return nil
}
