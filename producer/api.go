package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/web"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
)

const groupAPI = "The API"

// apiFlags are for producers that answer over HTTP.
func apiFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name: "api", Category: groupAPI, Sources: command.Env("api"),
			Usage: "`ADDRESS` of the API, such as 127.0.0.1:8440; empty for none", Validator: command.Address,
		},
		&cli.StringFlag{
			Name: "api-token-file", Category: groupAPI, Sources: command.Env("api-token-file"),
			Usage: "`FILE` with the token that a replay over the API needs; without it there are none",
		},
	}
}

// startAPI serves the API on --api until the closer is called, or serves
// nothing if there is no address. replay does the work of a replay: it ends
// when its context does, and the closer waits for it.
func startAPI(ctx context.Context, c *cli.Command, wire *fleet.Fleet, replay web.Replayer, log *slog.Logger) (func() error, error) {
	addr, path := c.String("api"), c.String("api-token-file")
	if addr == "" {
		if path != "" {
			return nil, command.Usage("--api-token-file needs --api: give the address, or leave it out")
		}
		return func() error { return nil }, nil
	}
	token, err := readToken(path)
	if err != nil {
		return nil, err
	}
	server, err := web.Listen(ctx, addr, web.Config{
		Bus: wire.Bus, Limit: wire.Limiter.State, Buckets: wire.Buckets, Replay: replay, Token: token, Log: log,
	})
	if err != nil {
		return nil, command.Usage("--api: %w", err)
	}
	log.InfoContext(ctx, "the API", "address", server.Addr(), "replays", token != "")
	return server.Close, nil
}

// leastToken is how short a token may be: 16 random letters are out of reach of
// whoever guesses over HTTP.
const leastToken, mostToken = 16, 4096

// readToken reads the token, "" without a file. What is wrong with it is told
// without it.
func readToken(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	file, err := os.Open(path)
	if err != nil {
		return "", command.Usage("--api-token-file: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(file, mostToken+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return "", command.Usage("--api-token-file: %w", err)
	}
	token := strings.TrimSpace(string(data))
	plain := !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
	if len(token) < leastToken || len(data) > mostToken || !plain {
		return "", command.Usage("--api-token-file %s: it has %d characters, want one line of %d to %d ASCII characters without spaces "+
			"(openssl rand -hex 32 makes one)", path, len(token), leastToken, mostToken)
	}
	return token, nil
}
