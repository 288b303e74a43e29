package main

import (
	"context"
	"log/slog"
	"strings"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/web"
	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/listen"
	"mirrorfleet/shared/secret"
)

const groupAPI = "The API"

// apiFlags are for producers that answer over HTTP.
func apiFlags() []cli.Flag {
	file := func(name, usage string) cli.Flag {
		return &cli.StringFlag{Name: name, Category: groupAPI, Sources: command.Env(name), TakesFile: true, Usage: usage}
	}
	return []cli.Flag{
		&cli.StringFlag{
			Name: "api", Category: groupAPI, Sources: command.Env("api"),
			Usage:     "`ADDRESS` of the API, such as 127.0.0.1:8440; empty for none; one that other machines reach needs TLS and a read token",
			Validator: command.Address,
		},
		file("api-token-file", "`FILE` with the token that a replay over the API needs; without it there are none"),
		file("api-read-token-file", "`FILE` with the token that reading needs; without it everybody reads who reaches the address"),
		file("api-cert", "`FILE` with the API's certificate; it is read again for each connection"),
		file("api-key", "`FILE` with the key of --api-cert"),
	}
}

// api is what the flags say of the API.
type api struct {
	addr             string // "" for none
	token, readToken string
	files            certs.Files
}

// readAPI reads the flags and the tokens, and refuses an address that others reach
// without TLS or without a read token.
func readAPI(c *cli.Command) (a api, err error) {
	a = api{addr: c.String("api"), files: certs.Files{Setting: "--api", Cert: c.String("api-cert"), Key: c.String("api-key")}}
	if a.addr == "" {
		for _, name := range []string{"api-token-file", "api-read-token-file", "api-cert", "api-key"} {
			if c.String(name) != "" {
				return a, command.Usage("--%s needs --api: give the address, or leave it out", name)
			}
		}
		return a, nil
	}
	if a.token, err = readToken(c, "api-token-file"); err != nil {
		return a, err
	}
	if a.readToken, err = readToken(c, "api-read-token-file"); err != nil {
		return a, err
	}
	if !listen.Loopback(a.addr) && (!a.files.Given() || a.readToken == "") {
		return a, command.Usage("--api %s can be reached from other machines: give --api-cert and --api-key for TLS, and --api-read-token-file; "+
			"or a loopback address such as 127.0.0.1:8440", a.addr)
	}
	return a, nil
}

// startAPI serves the API on --api until the closer is called, or serves
// nothing if there is no address. replay does the work of a replay: it ends
// when its context does, and the closer waits for it.
func startAPI(ctx context.Context, c *cli.Command, wire *fleet.Fleet, replay web.Replayer, log *slog.Logger) (func() error, error) {
	a, err := readAPI(c)
	if err != nil {
		return nil, err
	}
	if a.addr == "" {
		return func() error { return nil }, nil
	}
	cfg := web.Config{
		Bus: wire.Bus, Limit: wire.Limiter.State, Buckets: wire.Buckets, Replay: replay, Token: a.token, ReadToken: a.readToken, Log: log,
	}
	if a.files.Given() {
		if cfg.TLS, err = certs.Server(a.files, log); err != nil {
			return nil, command.UsageError{Err: err}
		}
	}
	server, err := web.Listen(ctx, a.addr, cfg)
	if err != nil {
		return nil, command.Usage("--api: %w", err)
	}
	log.InfoContext(ctx, "the API", "address", server.Addr(), "replays", a.token != "", "tls", cfg.TLS != nil, "read_token", a.readToken != "")
	return server.Close, nil
}

// leastToken is how short a token may be: 16 random letters are out of reach of
// whoever guesses over HTTP.
const leastToken, mostToken = 16, 4096

// readToken reads the token of a flag's file, "" without one. What is wrong with it is
// told without it.
func readToken(c *cli.Command, flag string) (string, error) {
	path := c.String(flag)
	if path == "" {
		return "", nil
	}
	data, err := secret.Read(path, 4*mostToken)
	if err != nil {
		return "", command.Usage("--%s: %w", flag, err)
	}
	token := strings.TrimSpace(string(data))
	plain := !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
	if len(token) < leastToken || len(data) > mostToken || !plain {
		return "", command.Usage("--%s %s: it has %d characters, want one line of %d to %d ASCII characters without spaces "+
			"(openssl rand -hex 32 makes one)", flag, path, len(token), leastToken, mostToken)
	}
	return token, nil
}
