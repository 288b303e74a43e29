package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/ratelimit"
)

// redisTimeout bounds every call to Redis. A permit whose answer comes later is too old to
// be used.
const redisTimeout = 200 * time.Millisecond

// Config is a process's settings for the servers. Each field has one flag of package
// command.
type Config struct {
	// Name is the process in logs and in NATS' list of connections.
	Name string
	// NATS and Redis are the servers' URLs; credentials in them are never
	// logged.
	NATS, Redis string
	NATSFiles   jobstream.Files
	RedisFiles  ratelimit.Files
	// Worker says that the process takes jobs. Open then waits until a producer has declared
	// the streams.
	Worker bool
	// WhoAmI is the URL of a service that answers with the caller's public address; "" asks
	// none. Process names this process beside its address. Default: Name.
	WhoAmI, Process string
	// ConnectTimeout is how long to wait for a server at start.
	ConnectTimeout time.Duration
	Streams        jobstream.Config
	Limit          ratelimit.Config
	// Source is this machine's address from which requests to the mirror leave; the zero
	// address leaves the choice to the system.
	Source netip.Addr
	Log    *slog.Logger
}

// Fleet is one process's connections.
type Fleet struct {
	Bus     *jobstream.Bus // nil after OpenLimiter
	Limiter *ratelimit.Limiter

	nc     *nats.Conn
	redis  *redis.Client
	source netip.Addr
	log    *slog.Logger

	producer  bool
	addresses addresses
}

// Open connects to NATS and Redis and brings the streams up to date.
func Open(ctx context.Context, cfg Config) (*Fleet, error) {
	f := &Fleet{log: cfg.Log, producer: !cfg.Worker, source: cfg.Source}
	if err := f.open(ctx, cfg); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// OpenLimiter connects to Redis only. It is for a process that sends requests and takes no
// part in rounds, such as the gateway.
func OpenLimiter(ctx context.Context, cfg Config) (*Fleet, error) {
	f := &Fleet{log: cfg.Log}
	asker, err := newAsker(cfg.WhoAmI, cfg.Source)
	if err == nil {
		err = f.limited(cfg)
	}
	if err == nil {
		err = AwaitRedis(ctx, f.redis, cfg.ConnectTimeout, cfg.Log)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	f.askWhoAmI(ctx, cfg, asker)
	return f, nil
}

// limited creates the limiter. It sends nothing to Redis yet.
func (f *Fleet) limited(cfg Config) (err error) {
	if f.redis, err = NewRedis(cfg.Redis, redisTimeout, cfg.RedisFiles); err != nil {
		return err
	}
	if err := ratelimit.CheckEgress(cmp.Or(cfg.Limit.Egress, ratelimit.DefaultEgress)); err != nil {
		return command.Usage("--egress: %w", err)
	}
	if f.Limiter, err = ratelimit.New(cfg.Limit, f.redis); err != nil {
		return command.Usage("the limit: %w", err)
	}
	return nil
}

func (f *Fleet) open(ctx context.Context, cfg Config) (err error) {
	asker, err := newAsker(cfg.WhoAmI, cfg.Source)
	if err != nil {
		return err
	}
	if err := f.limited(cfg); err != nil {
		return err
	}
	f.nc, err = ConnectNATS(ctx, cfg.NATS, cfg.Name, jobstream.ConnectConfig{
		Wait:    cfg.ConnectTimeout,
		Setting: "--connect-timeout",
		Log:     cfg.Log,
		Files:   cfg.NATSFiles,
	})
	if err != nil {
		return err
	}
	role := jobstream.RoleProducer
	if cfg.Worker {
		role = jobstream.RoleWorker
		cfg.Streams.Role = role
	}
	if err = jobstream.Suits(ctx, cfg.NATS, role, cfg.NATSFiles); err != nil {
		return command.Usage("--nats: %w", err)
	}
	if err := AwaitRedis(ctx, f.redis, cfg.ConnectTimeout, cfg.Log); err != nil {
		return err
	}
	cfg.Streams.Wait = cfg.ConnectTimeout
	if f.Bus, err = OpenStreams(ctx, f.nc, cfg.Streams); err == nil {
		f.askWhoAmI(ctx, cfg, asker)
	}
	return err
}

// OpenStreams brings the streams up to date. A server that is too old is wrong usage (exit
// code 2): a person has to update it, and waiting does not help.
func OpenStreams(ctx context.Context, nc *nats.Conn, cfg jobstream.Config) (*jobstream.Bus, error) {
	bus, err := jobstream.Open(ctx, nc, cfg)
	if tooOld, is := errors.AsType[*jobstream.VersionError](err); is {
		return nil, command.Usage("--nats: %w", tooOld)
	}
	if errors.Is(err, jobstream.ErrUndeclared) {
		return nil, command.Usage("--nats: %w", err)
	}
	if few, alone := jobstream.TooFewServers(err); alone {
		return nil, command.Usage("--replicas %d: NATS is a single server, which keeps one copy: give --replicas 1, or the --nats of a "+
			"cluster: %w", cfg.Replicas, err)
	} else if few {
		return nil, fmt.Errorf("--replicas %d: NATS has fewer servers than that: start the others of the cluster, or give the --replicas "+
			"that there are servers for: %w", cfg.Replicas, err)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the streams (--connect-timeout %s): %w", cfg.Wait, err)
	}
	return bus, nil
}

// Servers asks every NATS server for its settings, as jobstream.Servers does.
func (f *Fleet) Servers(ctx context.Context) (told []jobstream.Server, silent []string, err error) {
	return jobstream.Servers(ctx, f.nc)
}

// Mirror creates the process's one mirror client, metered by the limiter. The caller closes
// it.
func (f *Fleet) Mirror(baseURL string) (*mirror.Client, error) {
	client, err := mirror.New(mirror.Config{
		BaseURL: baseURL,
		Meter:   f.Limiter,
		Source:  f.source,
		Log:     f.log,
	})
	if err != nil {
		return nil, command.Usage("--mirror: %w", err)
	}
	return client, nil
}

// Buckets reads the buckets of all egresses. Addresses that cannot be read are missing from
// them, and the log has it once until all are read again.
func (f *Fleet) Buckets(ctx context.Context) ([]ratelimit.State, error) {
	buckets, err := ratelimit.Buckets(ctx, f.redis, redisTimeout)
	if err != nil || ctx.Err() != nil {
		return buckets, err
	}
	unread := ratelimit.Unread(buckets)
	if before := f.addresses.unread.Swap(unread != nil); unread != nil && !before {
		f.log.WarnContext(ctx, "the addresses of an egress are not shown: Redis does not give them", "error", unread)
	}
	return buckets, nil
}

// Operator opens the bucket of an egress, whose name it checks, for an operator's orders.
func (f *Fleet) Operator(egress string) (*ratelimit.Operator, error) {
	return ratelimit.NewOperator(egress, f.redis, redisTimeout)
}

// Close closes what Open opened, in the opposite order.
func (f *Fleet) Close() error {
	var errs []error
	if f.addresses.stop != nil {
		f.addresses.stop()
	}
	if f.nc != nil {
		f.nc.Close()
	}
	if f.Limiter != nil {
		errs = append(errs, f.Limiter.Close())
	}
	if f.redis != nil {
		if err := f.redis.Close(); err != nil {
			errs = append(errs, fmt.Errorf("closing the connections to Redis: %w", err))
		}
	}
	return errors.Join(errs...)
}
