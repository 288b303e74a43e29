package web_test

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mirrorfleet/producer/access"
	"mirrorfleet/producer/roundtest"
	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/certs/certstest"
	"mirrorfleet/shared/must"
)

// readToken must come out nowhere.
const readToken = "PLANTED-0123456789-read-token"

// TestReadingNeedsTheToken, whatever is read, if there is one; it has nothing replayed.
// Whoever may have replays may read.
func TestReadingNeedsTheToken(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *settings) { c.Guard = roundtest.Guard(t, readToken) })
	for _, path := range []string{"/api/v1/rounds", "/api/v1/openapi.json", "/api/v1/limit", "/api/v1/problems/busy", "/api/v1/rounds/latest/evaluations"} {
		for _, auth := range []string{"", "Bearer", "Bearer ", "Bearer " + readToken + "x", "Basic " + readToken} {
			got := b.ask(t, http.MethodGet, path, "", "Authorization", auth)
			if got.status != http.StatusUnauthorized || !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s with %q: %d, want 401", path, auth, got.status)
			}
		}
		for _, auth := range []string{"Bearer " + readToken, "bearer " + readToken, "Bearer " + token} {
			if got := b.ask(t, http.MethodGet, path, "", "Authorization", auth); got.status == http.StatusUnauthorized {
				t.Errorf("%s with a right token: %d", path, got.status)
			}
		}
	}
	for auth, want := range map[string]int{"Bearer " + readToken: http.StatusUnauthorized, "": http.StatusUnauthorized, "Bearer " + token: http.StatusNotFound} {
		if got := b.ask(t, http.MethodPost, "/api/v1/rounds/latest/replay", "", "Authorization", auth); got.status != want {
			t.Errorf("a replay with %.10q…: %d, want %d", auth, got.status, want)
		}
	}
	if strings.Contains(b.Log.String(), readToken) {
		t.Error("the read token is in the log")
	}
}

// What a page of another site makes a browser send is refused with what to do, whatever is
// asked; a name that is declared, and a right token, are not.
func TestForeignPagesAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *settings) {
		c.Guard = must.Get(access.New(access.Config{Orders: []access.Token{{Name: "ann", Secret: token}}, Hosts: []string{"fleet.example"}}))(t)
	})
	for _, c := range []struct {
		method, path string
		headers      []string
		status       int
		says         string
	}{
		{http.MethodGet, "/api/v1/rounds", []string{"Host", "evil.example:8440"}, 421, `foreign-host`},
		{http.MethodGet, "/api/v1/none", []string{"Host", "evil.example:8440"}, 421, `\"evil.example:8440\"; it is known by its IP address, localhost, fleet.example`},
		{http.MethodGet, "/api/v1/rounds", []string{"Host", "fleet.example:8440"}, 200, ""},
		{http.MethodGet, "/api/v1/rounds", []string{"Host", "serve:8440", "Authorization", "Bearer " + token}, 200, ""},
		{http.MethodPost, "/api/v1/schedule/pause", []string{"Sec-Fetch-Site", "cross-site", "Authorization", "Bearer " + token}, 403, "cross-origin"},
		{http.MethodPost, "/api/v1/schedule/resume", []string{"Sec-Fetch-Site", "same-origin", "Authorization", "Bearer " + token}, 200, ""},
	} {
		if got := b.ask(t, c.method, c.path, "", c.headers...); got.status != c.status || !strings.Contains(got.body, c.says) {
			t.Errorf("%s %s with %.40q: %d %s, want %d %s", c.method, c.path, c.headers, got.status, got.body, c.status, c.says)
		}
	}
}

// TestAValidatorReadsOverTLS with the read token from a file or a variable, checks the
// certificate, and sends the token neither in the clear nor from a file for everybody.
func TestAValidatorReadsOverTLS(t *testing.T) {
	t.Parallel()
	ca, foreign := certstest.New(t), certstest.New(t)
	files := certs.Files{Setting: "--api"}
	files.Cert, files.Key = ca.Issue(t, "api")
	b := servers(t)
	b.Work(t)
	server := b.serve(t, func(c *settings) {
		c.Guard, c.tls = roundtest.Guard(t, readToken), must.Get(certs.Server(files, slog.New(slog.DiscardHandler)))(t)
	})
	want := b.Concluded(t, asOf)
	url := "https://" + server.Addr()
	file := func(name string, mode os.FileMode) string {
		path := filepath.Join(t.TempDir(), name)
		must.Do(t, os.WriteFile(path, []byte(readToken+"\n"), 0o600))
		must.Do(t, os.Chmod(path, mode))
		return path
	}
	trusted := "MIRRORFLEET_CA=" + ca.File
	for name, c := range map[string]struct {
		env  []string
		url  string
		says string // "" for a round
	}{
		"a token's file":      {[]string{trusted, "MIRRORFLEET_READ_TOKEN_FILE=" + file("token", 0o600)}, url, ""},
		"a token":             {[]string{trusted, "MIRRORFLEET_READ_TOKEN=" + readToken}, url, ""},
		"no token":            {[]string{trusted}, url, "401"},
		"another token":       {[]string{trusted, "MIRRORFLEET_READ_TOKEN=x" + readToken}, url, "401"},
		"another CA":          {[]string{"MIRRORFLEET_CA=" + foreign.File, "MIRRORFLEET_READ_TOKEN=" + readToken}, url, "CERTIFICATE_VERIFY_FAILED"},
		"the system's CAs":    {[]string{"MIRRORFLEET_READ_TOKEN=" + readToken}, url, "CERTIFICATE_VERIFY_FAILED"},
		"a file for everyone": {[]string{trusted, "MIRRORFLEET_READ_TOKEN_FILE=" + file("open", 0o644)}, url, "chmod o-rwx"},
		"in the clear":        {[]string{"MIRRORFLEET_READ_TOKEN=" + readToken}, "http://example.invalid:8440", "https://"},
	} {
		got := validatorWith(t, c.env, call{hotkeys: metagraph(), url: c.url, more: map[string]any{"max_age": 1e9}})[0]
		if (len(got.Result) > 0) != (c.says == "") || !strings.Contains(got.Log, c.says) {
			t.Errorf("%s: %d rewards, log %q, want %q", name, len(got.Result), got.Log, c.says)
		}
		if strings.Contains(got.Log, readToken) {
			t.Errorf("%s: the token is in %q", name, got.Log)
		}
	}
	if want.Round == "" {
		t.Error("there is no round to read")
	}
}
