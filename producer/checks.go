package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/doctor"
	"mirrorfleet/producer/miners"
	"mirrorfleet/producer/session"
	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

// examination are the checks that doctor makes and that serve makes for its page.
type examination struct {
	servers, files []doctor.Check
	clocks         doctor.Clocks
	cfg            fleet.Config
}

// examinationOf returns the checks by the flags of a command. worker is the address that
// workers use; "" if they have credentials that are not known here.
func examinationOf(c *cli.Command, o options, worker string) (e examination, err error) {
	quiet := slog.New(slog.DiscardHandler) // each finding already says what the adapters would log
	e.cfg = fleet.FromFlags(c, "producer-doctor", quiet)
	e.cfg.Limit.Log = quiet
	if e.servers, err = serverChecks(c, o, &e.cfg, worker); err != nil {
		return e, err
	}
	e.servers = append(e.servers, doctor.Formula(e.cfg.Limit))
	api := apiFiles(c)
	if !o.local && (e.cfg.NATSFiles.TLS != certs.Files{} || e.cfg.RedisFiles.TLS != certs.Files{} || api.Cert != "") {
		e.servers = append(e.servers, doctor.Certificates{
			NATS:       e.cfg.NATS,
			Redis:      e.cfg.Redis,
			NATSFiles:  e.cfg.NATSFiles,
			RedisFiles: e.cfg.RedisFiles,
			API:        api,
			Wait:       e.cfg.ConnectTimeout,
			Now:        time.Now(),
		}.Check())
	}
	e.files = doctor.FileChecks(fileChecks(c, time.Now()))
	if o.local {
		e.files = append(e.files, doctor.State(o.state, local.CheckDir))
	}
	e.clocks = doctor.Clocks{
		NATS:       e.cfg.NATS,
		Redis:      e.cfg.Redis,
		NATSFiles:  e.cfg.NATSFiles,
		RedisFiles: e.cfg.RedisFiles,
		Wait:       e.cfg.ConnectTimeout,
	}
	return e, nil
}

// examineTime bounds each check of a producer that examines itself for its page: a page is
// not waited for longer.
const examineTime = 8 * time.Second

// examiner is what doctor says of the installation of a producer that runs. It takes no
// permit and asks nothing of the mirror, so that looking costs the rounds nothing.
func examiner(c *cli.Command, o options) func(context.Context) (doctor.Diagnosis, error) {
	return func(ctx context.Context) (doctor.Diagnosis, error) {
		e, err := examinationOf(c, o, "")
		if err != nil {
			return doctor.Diagnosis{}, err
		}
		checks := slices.Concat(e.servers, []doctor.Check{
			doctor.Nothing("grammars", "not looked at from here: they are on the workers' machines, where producer doctor --grammars looks at them"),
		}, e.files, []doctor.Check{
			doctor.Nothing("the mirror", "not asked from here: that takes a permit from the rounds; producer doctor asks it once"),
		})
		if !o.local {
			checks = append(checks, e.clocks.Check())
		}
		return doctor.Diagnose(doctor.Run(ctx, checks, examineTime)), nil
	}
}

// serverChecks returns the checks of NATS and Redis. A local round has servers of its
// own, which can be checked only while it runs: cfg then gets their addresses. Its
// Redis is embedded, so that the checks of a production server do not apply. worker is the
// address that workers use; "" if they have credentials that are not known here.
func serverChecks(c *cli.Command, o options, cfg *fleet.Config, worker string) ([]doctor.Check, error) {
	setting, err := egressesOf(c)
	if err != nil {
		return nil, err
	}
	n := doctor.NATS{
		URL:         cfg.NATS,
		Worker:      worker,
		Files:       cfg.NATSFiles,
		WorkerFiles: workerFiles(c, cfg.NATSFiles),
		Streams:     cfg.Streams,
		Wait:        cfg.ConnectTimeout,
		Build:       command.Build(),
	}
	if !o.local {
		return append(n.Checks(), doctor.Redis{
			URL:       cfg.Redis,
			Files:     cfg.RedisFiles,
			NATS:      cfg.NATS,
			NATSFiles: cfg.NATSFiles,
			Egresses:  setting.Names,
			Limit:     cfg.Limit,
			Wait:      cfg.ConnectTimeout,
		}.Checks()...), nil
	}
	cfg.Limit.Horizon = localHorizon(c, o.workers)
	found, err := local.Find(o.state)
	if errors.Is(err, local.ErrNotRunning) {
		return []doctor.Check{doctor.Nothing("servers", "a local round starts its own NATS and Redis")}, nil
	}
	if err != nil {
		return nil, command.Usage("--state: %w", err)
	}
	cfg.NATS, cfg.Redis = found.NATS, found.Redis
	n.URL, n.Local = found.NATS, true
	return append(n.Checks(), doctor.Redis{
		URL:      found.Redis,
		NATS:     found.NATS,
		Egresses: setting.Names,
		Limit:    cfg.Limit,
		Embedded: true,
		Wait:     cfg.ConnectTimeout,
	}.Checks()...), nil
}

// workerFiles returns the files that workers connect with: the producer's own unless a
// --worker-nats… flag is given. With one, only TLS is shared: the producer's
// credentials would answer for a user that workers do not have.
func workerFiles(c *cli.Command, own jobstream.Files) jobstream.Files {
	creds, nkey := c.String("worker-nats-creds"), c.String("worker-nats-nkey")
	if creds == "" && nkey == "" && c.String("worker-nats") == "" {
		return own
	}
	return jobstream.Files{
		Setting: "--worker-nats",
		TLS:     own.TLS,
		Creds:   creds,
		NKey:    nkey,
	}
}

// fileChecks returns one check for each file that a round reads, in the way in which
// a round reads it. A file whose flag is not given gets no line.
func fileChecks(c *cli.Command, now time.Time) []doctor.File {
	weights, unloadable := session.InputFiles{Weights: c.String("weights")}, nonEmpty(c.StringSlice("unloadable"))
	metagraph := c.String("metagraph")
	return []doctor.File{
		{Flag: "miners", Path: c.String("miners"), Parse: func(data []byte) (string, []string, error) {
			list, err := input.ParseMiners(data)
			return plural.Of(len(list), "miner"), nil, err
		}},
		{Flag: "registry", Path: c.String("registry"), Parse: func(data []byte) (string, []string, error) {
			registry, err := input.ParseRegistry(data)
			return plural.Forms(len(registry.Repositories), "repository", "repositories"), nil, err
		}},
		{Flag: "weights", Path: weights.Weight("programming_languages.json"), Parse: func(data []byte) (string, []string, error) {
			return parseWeights(data, nil, unloadable)
		}},
		{Flag: "weights", Path: weights.Weight("token_weights.json"), Parse: func(data []byte) (string, []string, error) {
			return parseWeights(nil, data, unloadable)
		}},
		{Flag: "tokens", Path: c.String("tokens"), Secret: true, Parse: func(data []byte) (string, []string, error) {
			stored, notes, err := miners.ParseTokens(data)
			return plural.Of(len(stored), "miner") + " with a token", notes, err
		}},
		{Flag: "metagraph", Path: metagraph, Parse: func(data []byte) (string, []string, error) {
			return parseMetagraph(data, metagraph, c.Duration("metagraph-max-age"), now)
		}},
	}
}

// parseMetagraph reads an export of the metagraph and checks its age. An export
// without an instant of its own is as old as its file.
func parseMetagraph(data []byte, path string, maxAge time.Duration, now time.Time) (string, []string, error) {
	m, err := miners.ParseMetagraph(data)
	if err != nil {
		return "", nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", nil, fmt.Errorf("reading when it was written: %w", err)
	}
	return plural.Of(len(m.Hotkeys), "uid"), nil, m.TooOld(info.ModTime(), now, maxAge)
}

// parseWeights checks one of the two weights files; nil stands for the product's own.
// The parser takes both together, so that the fault is reported for the file that has
// it.
func parseWeights(languages, tokenFile []byte, unloadable []string) (string, []string, error) {
	ownLanguages, ownTokens := tokens.DefaultWeights()
	if languages == nil {
		languages = ownLanguages
	}
	if tokenFile == nil {
		tokenFile = ownTokens
	}
	weights, err := tokens.ParseWeights(languages, tokenFile)
	if err != nil {
		return "", nil, err
	}
	if _, err := weights.Without(unloadable); err != nil {
		return "", nil, fmt.Errorf("--unloadable: %w", err)
	}
	return "weights " + weights.Digest()[:12], nil, nil
}
