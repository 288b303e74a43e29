package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/session"
	"mirrorfleet/shared/certs/certstest"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/jobstream"
)

// Wrong settings are wrong usage. The error names the flag and not the token. Without an
// address nothing is served.
func TestAPISettings(t *testing.T) {
	t.Parallel()
	wire, dir := &fleet.Fleet{Bus: new(jobstream.Bus)}, t.TempDir() // nobody asks for anything
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca := certstest.New(t)
	cert, key := ca.Issue(t, "api")
	old, oldKey := ca.IssueUntil(t, "old", time.Now().Add(-time.Hour))
	exposed := file("exposed", "PLANTED-0123456789-api-token")
	if err := os.Chmod(exposed, 0o644); err != nil {
		t.Fatal(err)
	}
	other := file("other", "PLANTED-9876543210-api-token")
	good, taken := file("good", "PLANTED-0123456789-api-token"), httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	refuse := func(context.Context, string, outcome.Selection) (outcome.Result, outcome.Replayed, error) {
		return outcome.Result{}, outcome.Replayed{}, errors.New("not asked for")
	}
	for _, c := range []struct {
		name string
		args []string
		says string // "" for none wrong
	}{
		{"none", nil, ""},
		{"without a token", []string{"--api", "127.0.0.1:0"}, ""},
		{"with both", []string{"--api", "127.0.0.1:0", "--api-token-file", good}, ""},
		{"for others, without anything", []string{"--api", ":0"}, "--api-cert and --api-key for TLS, and --api-read-token-file"},
		{"for others, without TLS", []string{"--api", "0.0.0.0:0", "--api-read-token-file", good}, "--api-cert"},
		{"for others, without a read token", []string{"--api", ":0", "--api-cert", cert, "--api-key", key}, "--api-read-token-file"},
		{"for others, with both", []string{"--api", ":0", "--api-cert", cert, "--api-key", key, "--api-read-token-file", good}, ""},
		{"half of TLS", []string{"--api", "127.0.0.1:0", "--api-cert", cert}, "--api-cert and --api-key belong together"},
		{"an expired certificate", []string{"--api", "127.0.0.1:0", "--api-cert", old, "--api-key", oldKey}, "has expired"},
		{"a read token without address", []string{"--api-read-token-file", good}, "--api-read-token-file needs --api"},
		{"a short read token", []string{"--api", "127.0.0.1:0", "--api-read-token-file", file("short", "PLANTED-0123456")}, "--api-read-token-file"},
		{"a token for everyone", []string{"--api", "127.0.0.1:0", "--api-token-file", exposed}, "chmod o-rwx " + exposed},
		{"no address", []string{"--api", "8440"}, "host:port"},
		{"an address in use", []string{"--api", strings.TrimPrefix(taken.URL, "http://")}, "--api"},
		{"a token without address", []string{"--api-token-file", good}, "--api-token-file needs --api"},
		{"tokens with names", []string{"--api", "127.0.0.1:0", "--api-token-file", "ann=" + good, "--api-token-file", other}, ""},
		{"tokens in one list", []string{"--api", "127.0.0.1:0", "--api-token-file", "ann=" + good + ",bob=" + other}, ""},
		{"a path with a =", []string{"--api", "127.0.0.1:0", "--api-token-file", file("a=b", "PLANTED-0123456789-api-token")}, ""},
		{"a name twice", []string{"--api", "127.0.0.1:0", "--api-token-file", good, "--api-token-file", other}, "two tokens have the name api"},
		{"one token twice", []string{"--api", "127.0.0.1:0", "--api-token-file", "ann=" + good, "--api-token-file", "bob=" + good}, "ann and bob are the same token"},
		{"a strange name", []string{"--api", "127.0.0.1:0", "--api-token-file", "Ann=" + good}, `the name "Ann" of a token`},
		{"names", []string{"--api", "localhost:0", "--api-hosts", "fleet.example,serve"}, ""},
		{"a URL for a name", []string{"--api", "127.0.0.1:0", "--api-hosts", "https://fleet.example"}, `--api-hosts: "https://fleet.example" is no name`},
		{"a name without address", []string{"--api-hosts", "serve"}, "--api-hosts needs --api"},
		{"no file", []string{"--api", "127.0.0.1:0", "--api-token-file", filepath.Join(dir, "none")}, "--api-token-file"},
		{"a folder", []string{"--api", "127.0.0.1:0", "--api-token-file", dir}, "--api-token-file"},
		{"empty", []string{"--api", "127.0.0.1:0", "--api-token-file", file("empty", "\n")}, "0 characters, want one line of 16"},
		{"short", []string{"--api", "127.0.0.1:0", "--api-token-file", file("short", "PLANTED-0123456")}, "15 characters"},
		{"two lines", []string{"--api", "127.0.0.1:0", "--api-token-file", file("two", "PLANTED-0123456789\nPLANTED-9876543210")}, "without spaces"},
		{"long", []string{"--api", "127.0.0.1:0", "--api-token-file", file("long", strings.Repeat("PLANTED-", 1000))}, "16 to 4096"},
	} {
		app := &cli.Command{
			Name: "app", Flags: apiFlags(), Action: func(ctx context.Context, cmd *cli.Command) error {
				orders := session.Orders{Replay: refuse, Cancel: func(context.Context, round.Cancelled) error { return errors.ErrUnsupported }}
				stop, err := startAPI(ctx, cmd, options{}, wire, orders, slog.New(slog.DiscardHandler))
				if err != nil {
					return err
				}
				return stop()
			},
			ExitErrHandler: func(context.Context, *cli.Command, error) {},
			OnUsageError:   func(_ context.Context, _ *cli.Command, err error, _ bool) error { return command.Usage("%w", err) },
			Writer:         io.Discard, ErrWriter: io.Discard,
		}
		err := app.Run(t.Context(), append([]string{"app"}, c.args...))
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%s: %v, want none", c.name, err)
		case c.says != "" && (command.Code(err) != command.ExitUsage || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v with code %d, want wrong usage with %q", c.name, err, command.Code(err), c.says)
		case err != nil && strings.Contains(err.Error(), "PLANTED"):
			t.Errorf("%s: the token is in %v", c.name, err)
		}
	}
}
