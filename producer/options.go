package main

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/round"
	"mirrorfleet/producer/session"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/signing"
)

// options are the flags that run, replay, serve and doctor share, checked together.
type options struct {
	local   bool
	state   string
	workers int
	world   string // "" when a mirror is given
	resume  string // the round to resume or to replay; "" plans a new one
	json    bool
	mirror  string
	files   session.InputFiles
	web     string // the address of the dashboard; "" for none
}

// commonOptions reads the flags that run, replay and doctor have in common. A local
// round without --mirror gets the demo world, so that a first trial sends nothing to
// the real mirror.
func commonOptions(c *cli.Command) options {
	o := options{
		local:   c.Bool("local"),
		state:   c.String("state"),
		workers: c.Int("workers"),
		world:   c.String("world"),
		json:    c.Bool("json"),
		mirror:  c.String("mirror"),
	}
	if o.local && o.world == "" && !c.IsSet("mirror") {
		o.world = "demo"
	}
	return o
}

// check refuses flags that contradict each other. It runs before anything is opened,
// so that wrong usage leaves nothing behind.
func (o options) check(c *cli.Command) error {
	servers := slices.ContainsFunc(slices.Concat([]string{"nats", "redis"}, command.NATSFiles(), command.RedisFiles()), c.IsSet)
	switch {
	case o.local && servers:
		return command.Usage("--local starts its own servers: leave out --nats, --redis and their files, or --local")
	case !o.local && (c.String("nats") == "" || c.String("redis") == ""):
		return command.Usage("--nats and --redis are required: give both, or --local for a round on this machine")
	case !o.local && o.world != "":
		return command.Usage("--world %s needs --local: the simulated mirror is started beside the round", o.world)
	case o.world != "" && c.IsSet("mirror"):
		return command.Usage("--world and --mirror exclude each other: one round has one mirror")
	}
	if _, err := egressesOf(c); err != nil {
		return err
	}
	u, err := url.Parse(o.mirror)
	switch {
	case err != nil: // url.Parse repeats the address in its error, and that may hold a password
		return command.Usage("--mirror is not a URL: want one such as %s", command.DefaultMirror)
	case u.User != nil:
		return command.Usage("--mirror %s://%s: leave out the credentials, the mirror takes none", u.Scheme, u.Host)
	case u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return command.Usage("--mirror %q: want a URL such as %s", afterAt(o.mirror), command.DefaultMirror)
	}
	return nil
}

// afterAt cuts off everything up to an @, which may be credentials.
func afterAt(address string) string {
	if _, after, found := strings.Cut(address, "@"); found {
		return after
	}
	return address
}

// egressesOf reads the fleet's egresses from the flags. The producer's own must be
// among them, because it sends requests too (the look-ups of maintainers). Without
// --egresses its own is only a default, which yields to the declared ones
// (round.Setting.Said).
func egressesOf(c *cli.Command) (round.Setting, error) {
	own, names := c.String("egress"), nonEmpty(c.StringSlice("egresses"))
	if given := len(c.StringSlice("egresses")); given > 1 && given > len(names) {
		return round.Setting{}, command.Usage("--egresses %s: an egress has no name: want names with one comma between two of them",
			strings.Join(c.StringSlice("egresses"), ","))
	}
	if len(names) == 0 {
		return round.Setting{Names: []string{own}}, nil
	}
	for _, name := range names {
		if err := ratelimit.CheckEgress(name); err != nil {
			return round.Setting{}, command.Usage("--egresses: %w", err)
		}
	}
	if !slices.Contains(names, own) {
		return round.Setting{}, command.Usage("--egress %s is not among --egresses %s, but this process sends requests too: "+
			"add it, or give the egress that this process sends from", own, strings.Join(names, ","))
	}
	return round.Setting{Names: names, Said: true}, nil
}

// nonEmpty drops empty strings: --egresses "" and --unloadable "" mean none. The result
// is never nil, because a nil list of unloadable languages means that none was given.
func nonEmpty(list []string) []string {
	kept := []string{}
	for _, s := range list {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return kept
}

// keysOf reads the key files that the flags name. The zero Keys neither sign nor
// verify.
func keysOf(c *cli.Command) (keys signing.Keys, err error) {
	if path := c.String("verify-key"); path != "" {
		if keys, err = keys.Public(path); err != nil {
			return keys, command.Usage("--verify-key: %w", err)
		}
	}
	if path := c.String("signing-key"); path != "" {
		if keys, err = keys.Private(path); err != nil {
			return keys, command.Usage("--signing-key: %w", err)
		}
	}
	return keys, nil
}

// revisionOf reads --revision; 0 is the latest.
func revisionOf(c *cli.Command) (int, error) {
	revision := c.Int("revision")
	if revision < 0 {
		return 0, command.Usage("--revision %d: want 1 or more, or 0 for the latest", revision)
	}
	return revision, nil
}

// readUIDs reads --uid; nil if it is not given.
func readUIDs(c *cli.Command) (uids []int, err error) {
	text := c.String("uid")
	if text == "" {
		return nil, nil
	}
	for one := range strings.SplitSeq(text, ",") {
		uid, err := strconv.Atoi(strings.TrimSpace(one))
		if err != nil || uid < 0 {
			return nil, command.Usage("--uid %q: want whole numbers from 0, with commas", text)
		}
		uids = append(uids, uid)
	}
	return uids, nil
}

// namedRound is the round that an order names; "" for the only one that runs. Without
// --round a name is wrong usage: the order would go to the schedule.
func namedRound(c *cli.Command) (string, error) {
	switch n := c.Args().Len(); {
	case n > 1:
		return "", command.Usage("%d arguments: want one round at most", n)
	case n == 1 && !c.Bool("round"):
		return "", command.Usage("%q: the schedule has no rounds to choose from; --round %[1]s names a round", c.Args().First())
	}
	return c.Args().First(), nil
}

// natsGiven checks that a command which needs only NATS knows where to find it.
func natsGiven(c *cli.Command) error {
	local, nats := c.Bool("local"), c.String("nats")
	switch {
	case local && c.IsSet("nats"):
		return command.Usage("--local reads a state directory of this machine: leave out --nats, or --local")
	case !local && nats == "":
		return command.Usage("--nats is required: give its URL, or --local for the rounds of this machine")
	}
	return nil
}

// backupDir reads the directory of a backup, and checks that a server is given too.
func backupDir(c *cli.Command) (string, error) {
	dir := c.StringArg("dir")
	if dir == "" {
		return "", command.Usage("which directory? Give the backup's (%s --help shows the usage)", c.FullName())
	}
	return dir, natsGiven(c)
}

// jaegerOf reads --jaeger, the base URL of Jaeger's pages. The error does not repeat it,
// because it may hold a password.
func jaegerOf(c *cli.Command) (string, error) {
	address := c.String("jaeger")
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return "", command.Usage("--jaeger: want a URL such as http://localhost:16686, without credentials")
	}
	return strings.TrimRight(address, "/"), nil
}

// localHorizon is the limiter's horizon for a local fleet, unless --limit-horizon is
// set. Each process has at most one reservation at a time, so one slot for each and
// one to spare is enough. The default for large fleets, 10 s, would only cost time: a
// local round starts with an empty bucket, and an empty bucket pauses for one horizon
// (docs/limit.md).
func localHorizon(c *cli.Command, workers int) time.Duration {
	if c.IsSet("limit-horizon") {
		return c.Duration("limit-horizon")
	}
	const slot = 250 * time.Millisecond // a little more than one permit takes at the default limit
	processes := workers + 1            // and this producer
	return time.Duration(processes+1) * slot
}

// inSession has work use a session that the flags describe, after change has changed its
// configuration (nil for none). Everything is closed in the opposite order of opening,
// whatever fails in between.
func (o options) inSession(
	ctx context.Context, c *cli.Command, log *slog.Logger, change func(*session.Config) error, work func(*session.Session) error,
) (err error) {
	observability, err := fleet.Observe(ctx, c, "producer", "", log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, observability.Close()) }()
	cfg, err := o.session(c, log, observability)
	if err != nil {
		return err
	}
	if change != nil {
		if err := change(&cfg); err != nil {
			return err
		}
	}
	s := session.New(cfg)
	defer func() { err = errors.Join(err, s.Close()) }()
	return work(s)
}

// session makes the configuration of a session from the flags.
func (o options) session(c *cli.Command, log *slog.Logger, observability *fleet.Observability) (session.Config, error) {
	egresses, err := egressesOf(c)
	if err != nil {
		return session.Config{}, err
	}
	servers := fleet.FromFlags(c, "producer", log)
	if servers.Streams.Keys, err = keysOf(c); err != nil {
		return session.Config{}, err
	}
	if o.local {
		servers.Limit.Horizon = localHorizon(c, o.workers)
	}
	return session.Config{
		Servers:         servers,
		Egresses:        egresses,
		Takeover:        c.Duration("takeover"),
		Reconcile:       c.Duration("reconcile"),
		AllIssues:       int64(c.Int("all-issues")) << 20,
		Local:           o.local,
		State:           o.state,
		Workers:         o.workers,
		World:           o.world,
		Resume:          o.resume,
		Mirror:          o.mirror,
		MirrorGiven:     c.IsSet("mirror"),
		Files:           o.files,
		UnloadableGiven: c.IsSet("unloadable"),
		ConfigFile:      c.String("config"),
		LogLevel:        c.String("log-level"),
		Observability:   observability,
		Log:             log,
	}, nil
}
