package session

import (
	"context"
	"log/slog"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/fleet"
)

// Config is what a session works with; the commands' flags say it.
type Config struct {
	// Servers are the fleet's. A local session puts in those that it starts itself.
	Servers fleet.Config
	// Egresses are the egresses that the fleet has.
	Egresses round.Setting
	// Takeover is how long a producer may be silent before another takes its round over,
	// Reconcile how often what is outstanding is compared with what is queued.
	Takeover, Reconcile time.Duration
	// AllIssues bounds the one answer on all issues, as that of round.Config.
	AllIssues int64

	// Local says that NATS and Redis are started inside this process, and Workers workers
	// beside it, on the directory State.
	Local   bool
	State   string
	Workers int
	// World is what a simulated mirror serves, beside this process too; "" for none.
	World string
	// Resume is the round to resume or to replay; "" to plan one.
	Resume string
	// Mirror is where a round is planned for. MirrorGiven says that somebody asked for it:
	// a round of another one is not resumed.
	Mirror      string
	MirrorGiven bool
	// Files are a round's inputs. UnloadableGiven says that somebody asked for theirs.
	Files           InputFiles
	UnloadableGiven bool
	// ConfigFile and LogLevel are handed on to the processes beside this one; ConfigFile
	// may be "".
	ConfigFile, LogLevel string

	// Watch follows a round that is run or replayed, until ctx ends. Default: nobody does.
	Watch func(ctx context.Context, w *view.Watch)
	// Traced is told the trace of such a round. Default: nobody is.
	Traced func(trace string)
	// Observability is what lets others see this process.
	Observability *fleet.Observability
	Log           *slog.Logger
}
