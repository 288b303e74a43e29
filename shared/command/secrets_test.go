package command_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/must"
)

// started runs a command with the flags of servers, and tells what it finds.
func started(t *testing.T, args ...string) (nats string, code int, stderr string) {
	t.Helper()
	app := &cli.Command{Name: "app", Flags: command.Servers(), Action: func(_ context.Context, c *cli.Command) error {
		nats = c.String("nats")
		return nil
	}}
	var text strings.Builder
	code = command.Run(app, append([]string{"app"}, args...), &text)
	return nats, code, text.String()
}

// TestNoPasswordAmongTheArguments: what everybody on the machine can read holds no
// password and no token, and the refusal says how else they come.
func TestNoPasswordAmongTheArguments(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args    []string
		refused bool
	}{
		"no user":               {[]string{"--nats", "nats://a:4222,nats://b:4222", "--redis", "redis://a/0"}, false},
		"a password":            {[]string{"--nats", "nats://me:SECRET@a"}, true},
		"with an equals sign":   {[]string{"--nats=nats://me:SECRET@a"}, true},
		"in the second address": {[]string{"--nats", "nats://a:4222, nats://me:SECRET@b"}, true},
		"without a scheme":      {[]string{"--nats", "me:SECRET@a"}, true},
		"a token":               {[]string{"--nats", "nats://SECRET@a"}, true},
		"a user whose password is in a file": {
			[]string{"--nats", "nats://me@a", "--nats-password-file", "f", "--redis", "redis://me@a"}, false,
		},
		"that of Redis":         {[]string{"--redis", "rediss://:SECRET@a/0"}, true},
		"one that was mistyped": {[]string{"--redis", "redis://me:SECRET%@a"}, true},
		"with a comma":          {[]string{"--redis", "redis://me:a,SECRET@b"}, true},
		"with a slash":          {[]string{"--redis", "redis://me:12/SECRET@b"}, true},
		"with a comma for NATS, beside a file": {
			[]string{"--nats", "nats://me:12,SECRET@b", "--nats-password-file", "f"}, true,
		},
		"a second address that says nothing": {[]string{"--nats", "nats://a:port,nats://me:SECRET@b"}, true},
	} {
		_, code, stderr := started(t, c.args...)
		if (code == command.ExitUsage) != c.refused || code != 0 && !c.refused {
			t.Errorf("%s: code %d, want it refused: %t\n%s", name, code, c.refused, stderr)
		}
		setting := "--" + strings.TrimLeft(strings.SplitN(c.args[0], "=", 2)[0], "-")
		for _, want := range []string{setting + " holds a password", "MIRRORFLEET_", "--config", setting + "-password-file"} {
			if c.refused && !strings.Contains(stderr, want) {
				t.Errorf("%s: %q does not say %q", name, stderr, want)
			}
		}
		if strings.Contains(stderr, "SECRET") {
			t.Errorf("%s: the secret is in %q", name, stderr)
		}
	}
}

// TestPasswordsFromTheEnvironment are taken, but not when they stand among the
// arguments as well.
func TestPasswordsFromTheEnvironment(t *testing.T) {
	const url = "nats://me:SECRET@a"
	t.Setenv("MIRRORFLEET_NATS", url)
	if got, code, stderr := started(t); got != url || code != 0 {
		t.Errorf("from the environment: %q with code %d, %s", got, code, stderr)
	}
	if _, code, stderr := started(t, "--nats", url); code != command.ExitUsage || strings.Contains(stderr, "SECRET") {
		t.Errorf("from both: code %d, %s", code, stderr)
	}
}

// TestAPasswordsFileOfTheConfiguration makes a user in a flag's URL no token.
func TestAPasswordsFileOfTheConfiguration(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fleet.yaml")
	must.Do(t, os.WriteFile(path, []byte("nats-password-file: /etc/password\n"), 0o600))
	if _, code, stderr := started(t, "--config", path, "--nats", "nats://worker@a"); code != 0 {
		t.Errorf("code %d, %s, want the user taken", code, stderr)
	}
}

// TestAConfigurationWithAPasswordIsKeptFromOthers; one without may be for everybody.
func TestAConfigurationWithAPasswordIsKeptFromOthers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text    string
		mode    os.FileMode
		refused bool
	}{
		"no password":      {"nats: nats://a:4222\n", 0o644, false},
		"one":              {"nats: nats://me:SECRET@a\n", 0o644, true},
		"in a section":     {"app:\n  redis: redis://:SECRET@a\n", 0o604, true},
		"of another's":     {"worker-nats: nats://me:SECRET@a\n", 0o644, true},
		"for the user":     {"nats: nats://me:SECRET@a\n", 0o600, false},
		"for the group":    {"nats: nats://me:SECRET@a\n", 0o640, false},
		"a path's is none": {"nats-nkey: /etc/SECRET.nk\n", 0o644, false},
	} {
		path := filepath.Join(t.TempDir(), "fleet.yaml")
		must.Do(t, os.WriteFile(path, []byte(c.text), 0o600))
		must.Do(t, os.Chmod(path, c.mode))
		_, code, stderr := started(t, "--config", path)
		if (code == command.ExitUsage) != c.refused || code != 0 && !c.refused {
			t.Errorf("%s with mode %04o: code %d, want it refused: %t\n%s", name, c.mode, code, c.refused, stderr)
		}
		if c.refused && !strings.Contains(stderr, "chmod o-rwx "+path) || strings.Contains(stderr, "SECRET") {
			t.Errorf("%s: %q, want what mends it, and no secret", name, stderr)
		}
	}
}

// TestLooseFilesAreNamed: a command names each file with a secret that its group can
// read, also its configuration if that holds a password, and no other file.
func TestLooseFilesAreNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		must.Do(t, os.WriteFile(path, []byte(content), 0o600))
		must.Do(t, os.Chmod(path, mode))
		return path
	}
	loose, named := file("loose", "SECRET", 0o640), file("named", "SECRET", 0o640)
	tokens := file("tokens", "[]", 0o640)
	closed := file("closed", "SECRET", 0o600)
	ca := file("ca", "", 0o644)
	for _, tt := range []struct {
		config string
		want   []string
	}{
		{"log-level: info", []string{tokens, named, loose}},
		{"redis: redis://:SECRET@a/0", []string{tokens, named, loose, filepath.Join(dir, "config")}},
	} {
		config := file("config", tt.config, 0o640)
		var got []string
		flags := append(command.Servers(), &cli.StringFlag{Name: "log-level"}, &cli.StringSliceFlag{Name: "api-token-file"}, &cli.StringFlag{Name: "tokens"})
		app := &cli.Command{Name: "app", Flags: flags, Action: func(_ context.Context, c *cli.Command) error {
			got = command.Loose(c)
			return nil
		}}
		var text strings.Builder
		code := command.Run(app, []string{
			"app", "--nats-password-file", loose, "--redis-password-file", closed, "--nats-nkey", loose, "--nats-ca", ca, "--config", config,
			"--api-token-file", closed, "--api-token-file", "ann=" + named, "--tokens", tokens,
		}, &text)
		var want []string
		for _, path := range tt.want {
			want = append(want, path+" holds a secret, and its group can read it (mode 0640): chmod 600 "+path)
		}
		if code != 0 || !slices.Equal(got, want) {
			t.Errorf("%q: code %d, %q, want %q\n%s", tt.config, code, got, want, text.String())
		}
	}
}
