package session

import (
	"context"
	"log/slog"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/fleet"
)

// Config is what a session works with. The commands fill it in from their flags.
type Config struct {
	// Servers says where NATS, Redis and their files are. A local session replaces the
	// addresses by those of the servers that it starts.
	Servers fleet.Config
	// Egresses are the fleet's egresses, which the session declares before it publishes.
	Egresses round.Setting
	// Takeover is how long a producer may be silent before another takes over its
	// round. Reconcile is the time between two comparisons of outstanding jobs with the
	// queue.
	Takeover, Reconcile time.Duration
	// AllIssues bounds the one answer on all issues, as that of round.Config.
	AllIssues int64

	// Local starts NATS and Redis inside this process, and as many worker processes as
	// Workers says. Streams and logs are kept in the directory State.
	Local   bool
	State   string
	Workers int
	// World is what the simulated mirror serves, in a process of its own; "" starts
	// none. It needs Local.
	World string
	// Resume is the round to resume or to replay, or "latest"; "" plans a new one.
	Resume string
	// Mirror is the base URL that a new round is planned for. A stored round keeps its
	// own. MirrorGiven says that Mirror is no default: a round of another mirror is then
	// refused.
	Mirror      string
	MirrorGiven bool
	// Files are a round's inputs. UnloadableGiven says that their unloadable languages
	// are no default: a stored round with other ones is then refused.
	Files           InputFiles
	UnloadableGiven bool
	// ConfigFile and LogLevel are passed to the child processes. ConfigFile may be "".
	ConfigFile, LogLevel string

	// Watch shows a round that is run or replayed, until ctx ends. Default: nothing is
	// shown.
	Watch func(ctx context.Context, w *view.Watch)
	// Traced is called with the trace id of such a round. Default: nothing is called.
	Traced func(trace string)
	// StartAPI serves over HTTP until closer is called, for rounds that are run or served. Orders
	// that come there are carried out with what it is given, which ends when its context
	// does. Default: nothing is served.
	StartAPI func(ctx context.Context, f *fleet.Fleet, orders Orders) (closer func() error, err error)
	// Observability serves this process's metrics and health; required.
	Observability *fleet.Observability
	// Log is required.
	Log *slog.Logger
}
