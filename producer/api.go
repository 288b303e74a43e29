package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/access"
	"mirrorfleet/producer/doctor"
	"mirrorfleet/producer/session"
	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/listen"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/secret"
)

const groupAPI = "The API"

// apiFlags are for producers that answer over HTTP.
func apiFlags() []cli.Flag {
	file := func(name, usage string) cli.Flag {
		return &cli.StringFlag{
			Name:      name,
			Category:  groupAPI,
			Sources:   command.Env(name),
			TakesFile: true,
			Usage:     usage,
		}
	}
	return []cli.Flag{
		&cli.StringFlag{
			Name:     "api",
			Category: groupAPI,
			Sources:  command.Env("api"),
			Usage: "`ADDRESS` of the API and the dashboard, such as 127.0.0.1:8440; empty for none; " +
				"beyond this machine it needs TLS and a read token",
			Validator: command.Address,
		},
		&cli.StringSliceFlag{
			Name:      "api-token-file",
			Category:  groupAPI,
			Sources:   command.Env("api-token-file"),
			TakesFile: true,
			Usage: "`NAME=FILE` with a token that orders over the API require, and the name by which the log tells who gave one; " +
				"may be given several times; FILE alone has the name api; without any the API takes no orders",
		},
		file("api-read-token-file", "`FILE` with the token that reading requires; without it anybody who reaches the address can read"),
		&cli.StringSliceFlag{
			Name:     "api-hosts",
			Category: groupAPI,
			Sources:  command.Env("api-hosts"),
			Usage: "`NAMES`, separated by commas, under which clients without a token, such as browsers, may address the API, " +
				"besides localhost, IP addresses and the name of --api",
		},
		file("api-cert", "`FILE` with the API's certificate; it is read again for each connection"),
		file("api-key", "`FILE` with the key of --api-cert"),
	}
}

// api is what the flags say of the API.
type api struct {
	flag string // of the address
	addr string // "" for no API
	// access has the tokens, and the names under which the API is known.
	access access.Config
	files  certs.Files
	// doctor is what the page of health shows. jaeger is the base URL of the pages that
	// traces are linked to; "" for none.
	doctor func(context.Context) (doctor.Diagnosis, error)
	jaeger string
}

// readAPI reads the API's flags and tokens. An address that other machines can reach
// is refused without TLS or without a read token: a default must not publish scores.
func readAPI(c *cli.Command) (a api, err error) {
	a = api{
		flag:  "api",
		addr:  c.String("api"),
		files: apiFiles(c),
	}
	if a.addr == "" {
		for _, name := range []string{"api-token-file", "api-read-token-file", "api-hosts", "api-cert", "api-key"} {
			if c.String(name) != "" || len(nonEmpty(c.StringSlice(name))) > 0 {
				return a, command.Usage("--%s needs --api: give the address, or leave it out", name)
			}
		}
		return a, nil
	}
	if a.access, err = readAccess(c); err != nil {
		return a, err
	}
	a.access.Secure = a.files.Given()
	if !listen.Loopback(a.addr) && (!a.files.Given() || a.access.Read == "") {
		return a, command.Usage("--api %s can be reached from other machines: give --api-cert and --api-key for TLS, and --api-read-token-file; "+
			"or a loopback address such as 127.0.0.1:8440", a.addr)
	}
	return a, nil
}

// nameless is the name of a token whose file was given without one.
const nameless = "api"

// apiFiles are the API's certificate and key.
func apiFiles(c *cli.Command) certs.Files {
	return certs.Files{Setting: "--api", Cert: c.String("api-cert"), Key: c.String("api-key")}
}

// readAccess reads who may do what, and under which names the API is known: the name in
// --api is one of them.
func readAccess(c *cli.Command) (cfg access.Config, err error) {
	for _, entry := range nonEmpty(c.StringSlice("api-token-file")) {
		name, path := command.NamedFile(entry)
		token, err := readToken("api-token-file", path)
		if err != nil {
			return cfg, err
		}
		cfg.Orders = append(cfg.Orders, access.Token{Name: cmp.Or(name, nameless), Secret: token})
	}
	if err := access.CheckTokens(cfg.Orders); err != nil {
		return cfg, command.Usage("--api-token-file: %w", err)
	}
	if path := c.String("api-read-token-file"); path != "" {
		if cfg.Read, err = readToken("api-read-token-file", path); err != nil {
			return cfg, err
		}
	}
	cfg.Hosts = nonEmpty(c.StringSlice("api-hosts"))
	if err := access.CheckHosts(cfg.Hosts); err != nil {
		return cfg, command.Usage("--api-hosts: %w", err)
	}
	host, _, _ := net.SplitHostPort(c.String("api")) // the flag has checked it
	if _, err := netip.ParseAddr(host); err != nil && host != "" {
		cfg.Hosts = append(cfg.Hosts, host)
	}
	return cfg, nil
}

// startAPI serves the API on --api until the closer is called; without an address it
// serves nothing. What is ordered over the API ends with its context, and the closer waits
// for it.
func startAPI(
	ctx context.Context, c *cli.Command, o options, f *fleet.Fleet, orders session.Orders, log *slog.Logger,
) (func() error, error) {
	a, err := readAPI(c)
	if err != nil {
		return nil, err
	}
	if a.addr == "" {
		return func() error { return nil }, nil
	}
	a.doctor = examiner(c, o)
	if c.IsSet("jaeger") {
		if a.jaeger, err = jaegerOf(c); err != nil {
			return nil, err
		}
	}
	site, err := startSite(ctx, a, f, orders, log)
	if err != nil {
		return nil, err
	}
	log.InfoContext(ctx, "serving the API", "address", site.server.Addr(), "orders", len(a.access.Orders) > 0, "tls", a.files.Given(),
		"read_token", a.access.Read != "")
	return site.Close, nil
}

// dashboardLink serves the dashboard beside a round, and says where.
type dashboardLink struct {
	out    io.Writer
	doctor func(context.Context) (doctor.Diagnosis, error)
	jaeger string // "" for no links to traces
	url    string // "" where nothing is served
}

// start serves until the closer is called.
func (d *dashboardLink) start(
	ctx context.Context, o options, f *fleet.Fleet, orders session.Orders, log *slog.Logger,
) (func() error, error) {
	path, token, err := localToken(o.state)
	if err != nil {
		return nil, err
	}
	site, err := startSite(ctx, api{
		flag:   "web",
		addr:   o.web,
		access: access.Config{Orders: []access.Token{{Name: nameless, Secret: token}}},
		doctor: d.doctor,
		jaeger: d.jaeger,
	}, f, orders, log)
	if err != nil {
		return nil, err
	}
	d.url = site.url()
	fmt.Fprintf(d.out, "dashboard: %s\nOrders there need the token in %s\n", d.url, path)
	return site.Close, nil
}

// stay keeps the dashboard up after the round, until ctx ends.
func (d *dashboardLink) stay(ctx context.Context, s *session.Session) error {
	if d.url == "" {
		return nil
	}
	fmt.Fprintf(d.out, "The dashboard stays up at %s until Ctrl-C\n", d.url)
	return s.Stay(ctx)
}

// localToken reads the token for orders from a state directory, and makes it if there is
// none.
func localToken(dir string) (path, token string, err error) {
	path = filepath.Join(dir, "api-token")
	if err := local.MakeDir(dir); err != nil {
		return path, "", command.Usage("--state: %w", err)
	}
	fresh := make([]byte, 32)
	_, _ = rand.Read(fresh) // it never fails
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		_, err = fmt.Fprintln(file, hex.EncodeToString(fresh))
		err = errors.Join(err, file.Close())
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return path, "", command.Usage("--state: %w", err)
	}
	token, err = readToken("state", path)
	return path, token, err
}

// The length of a token, in characters. 16 random characters cannot be guessed over
// HTTP. The maximum keeps a file that was named by mistake from being sent as a header.
const minToken, maxToken = 16, 4096

// readToken reads the token from a file that a flag names. The errors do not contain the
// token. Printable ASCII without spaces is what an HTTP header carries unchanged.
func readToken(flag, path string) (string, error) {
	data, err := secret.Read(path, 4*maxToken)
	if err != nil {
		return "", command.Usage("--%s: %w", flag, err)
	}
	token := strings.TrimSpace(string(data))
	plain := !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
	if len(token) < minToken || len(data) > maxToken || !plain {
		return "", command.Usage("--%s %s: the file has %s, want one line of %d to %d ASCII characters without spaces "+
			"(openssl rand -hex 32 makes one)", flag, path, plural.Of(len(token), "character"), minToken, maxToken)
	}
	return token, nil
}
