package web_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"mirrorfleet/producer/access"
	"mirrorfleet/shared/ratelimit"
)

// refused is a problem document as a program reads it.
type refused struct {
	Type   string `json:"type"`
	Detail string `json:"detail"`
	Errors []struct {
		Field string `json:"field"`
	} `json:"errors"`
}

// Every request that cannot be answered gets a problem document that says what
// to do, by its type and, where a field is wrong, by the field.
func TestRefusals(t *testing.T) {
	t.Parallel()
	b, result := withADeadMiner(t)
	open := b.Plan(t, now.Add(2*time.Hour))
	if err := b.Bus.Rounds.CreateManifest(t.Context(), open); err != nil {
		t.Fatal(err)
	}
	const get, post = http.MethodGet, http.MethodPost
	base, replay := "/api/v1/rounds/", "/api/v1/rounds/"+result.Round+"/replay"
	right := "Bearer " + token
	for _, c := range []struct {
		name, method, path, body, auth string
		status                         int
		kind, field, says              string
	}{
		{"no path", get, "/api/v2/rounds", "", "", 404, "unknown-path", "", "openapi.json"},
		{"the root", get, "/", "", "", 404, "unknown-path", "", ""},
		{"unknown round", get, base + "20260101t000000z-aaaaaa", "", "", 404, "unknown-round", "", result.Round},
		{"no round's name", get, base + "..%2f..%2fetc", "", "", 404, "unknown-round", "", ""},
		{"a wildcard", get, base + "*/rewards", "", "", 404, "unknown-round", "", ""},
		{"rewards of an unknown round", get, base + "r9/rewards", "", "", 404, "unknown-round", "", result.Round},
		{"rewards of a running round", get, base + open.Round + "/rewards", "", "", 404, "not-concluded", "", "outstanding"},
		{"unknown revision", get, base + "latest/rewards?revision=7", "", "", 404, "unknown-revision", "", "there is: 1"},
		{"no revision", get, base + "latest/rewards?revision=x", "", "", 400, "bad-request", "revision", "whole number"},
		{"revision 0", get, base + "latest/rewards?revision=0", "", "", 400, "bad-request", "revision", ""},
		{"unknown miner", get, base + "latest/miners/9", "", "", 404, "unknown-miner", "", "0, 1, 2, 3, 111"},
		{"no uid", get, base + "latest/miners/five", "", "", 400, "bad-request", "uid", "whole number"},
		{"no such problem", get, "/api/v1/problems/none", "", "", 404, "unknown-problem", "", "bad-request"},
		{"too small a page", get, "/api/v1/rounds?limit=0", "", "", 400, "bad-request", "limit", "1 to 100"},
		{"too large a page", get, "/api/v1/rounds?limit=101", "", "", 400, "bad-request", "limit", "1 to 100"},
		{"no cursor", get, "/api/v1/rounds?cursor=A_B", "", "", 400, "bad-request", "cursor", "next_cursor"},
		{"an unknown parameter", get, "/api/v1/rounds?page=2", "", "", 400, "bad-request", "page", "limit"},
		{"a parameter twice", get, "/api/v1/rounds?limit=2&limit=3", "", "", 400, "bad-request", "limit", ""},
		{"a query that is none", get, "/api/v1/rounds?limit=%zz", "", "", 400, "bad-request", "", "query"},
		{"a wrong method", http.MethodDelete, base + "latest", "", "", 405, "method-not-allowed", "", "GET, HEAD"},
		{"reading a replay", get, replay, "", "", 405, "method-not-allowed", "", "POST"},

		{"no token", post, replay, "", "", 401, "unauthorized", "", ""},
		{"another token", post, replay, "", "Bearer " + token + "x", 401, "unauthorized", "", ""},
		{"an empty token", post, replay, "", "Bearer ", 401, "unauthorized", "", ""},
		{"another scheme", post, replay, "", "Basic " + token, 401, "unauthorized", "", ""},
		{"no token for what is not there", post, base + "r9/replay", "", "", 401, "unauthorized", "", ""},
		{"replay of an unknown round", post, base + "r9/replay", "", right, 404, "unknown-round", "", ""},
		{"replay of a running round", post, base + open.Round + "/replay", "", right, 404, "not-concluded", "", ""},
		{"no JSON", post, replay, "uids=2", right, 400, "bad-request", "", "JSON object"},
		{"a list", post, replay, "[2]", right, 400, "bad-request", "", "JSON object"},
		{"two bodies", post, replay, "{}{}", right, 400, "bad-request", "", "nothing after"},
		{"a misspelt field", post, replay, `{"uid": [2]}`, right, 400, "bad-request", "uid", "dry_run"},
		{"a field of another type", post, replay, `{"uids": "2"}`, right, 400, "bad-request", "uids", "list"},
		{"another one", post, replay, `{"dry_run": 1}`, right, 400, "bad-request", "dry_run", ""},
		{"no uid in the list", post, replay, `{"uids": [2, -1]}`, right, 400, "bad-request", "uids[1]", "-1"},
		{"no class", post, replay, `{"class": "bad"}`, right, 400, "bad-request", "class", "transient"},
		{"a miner that is well", post, replay, `{"uids": [1]}`, right, 409, "nothing-to-replay", "", "2 (permanent)"},
		{"none that is overdue", post, replay, `{"class": "overdue"}`, right, 409, "nothing-to-replay", "", "no dead letter of class overdue"},
		{"a class without letters", post, replay, `{"class": "poison"}`, right, 409, "nothing-to-replay", "", "2 (permanent)"},
		{"no token for a cancel", post, base + open.Round + "/cancel", "", "", 401, "unauthorized", "", ""},
		{"no token for a rescore", post, base + result.Round + "/rescore", "", "", 401, "unauthorized", "", ""},
		{"cancel of an unknown round", post, base + "r9/cancel", "", right, 404, "unknown-round", "", result.Round},
		{"cancel of a concluded round", post, base + result.Round + "/cancel", "", right, 409, "nothing-to-cancel", "", "concluded, with revision 1"},
		{"cancel of the latest", post, base + "latest/cancel", "", right, 409, "nothing-to-cancel", "", "concluded"},
		{"cancel of no miner", post, base + open.Round + "/cancel", `{"uids": [9]}`, right, 409, "nothing-to-cancel", "", "outstanding: "},
		{"cancel with a misspelt field", post, base + open.Round + "/cancel", `{"uid": [2]}`, right, 400, "bad-request", "uid", "uids, reason"},
		{"cancel with a long reason", post, base + open.Round + "/cancel", `{"reason": "` + strings.Repeat("x", 201) + `"}`, right, 400,
			"bad-request", "reason", "at most 200"},
		{"cancel with a reason of two lines", post, base + open.Round + "/cancel", `{"reason": "a\nb"}`, right, 400, "bad-request", "reason", "character 2"},
		{"cancel by two lines", post, base + open.Round + "/cancel", `{"by": "a\nb"}`, right, 400, "bad-request", "by", "character 2"},
		{"rescore of nobody", post, base + result.Round + "/rescore", "", right, 400, "bad-request", "uids", "list"},
		{"rescore of no miner", post, base + result.Round + "/rescore", `{"uids": [9]}`, right, 409, "nothing-to-replay", "", "1 (done)"},
		{"rescore of a running round", post, base + open.Round + "/rescore", `{"uids": [1]}`, right, 404, "not-concluded", "", ""},
		{"a large body", post, replay, `{"uids": [` + strings.Repeat("2,", 64<<10) + `2]}`, right, 413, "too-large", "", "65536"},
	} {
		got := b.ask(t, c.method, c.path, c.body, "Authorization", c.auth)
		p := into[refused](t, got)
		field := ""
		if len(p.Errors) > 0 {
			field = p.Errors[0].Field
		}
		if got.status != c.status || p.Type != "/api/v1/problems/"+c.kind || field != c.field || !strings.Contains(p.Detail, c.says) {
			t.Errorf("%s: %d %.400s\nwant %d, %s, field %q, a detail with %q", c.name, got.status, got.body, c.status, c.kind, c.field, c.says)
		}
		if c.status == 405 && got.header.Get("Allow") != strings.TrimPrefix(p.Detail, "use ") {
			t.Errorf("%s: Allow is %q, want what the detail says: %q", c.name, got.header.Get("Allow"), p.Detail)
		}
		if c.status == 401 && !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s: WWW-Authenticate is %q, want Bearer", c.name, got.header.Get("WWW-Authenticate"))
		}
	}
	if log := b.Log.String(); strings.Contains(log, "failed") {
		t.Errorf("what the caller can mend is logged:\n%s", log)
	}
}

// Before any round there is nothing to tell, and without a token nobody is the
// right one.
func TestNothingIsThereYet(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *settings) { c.Guard, _ = access.New(access.Config{}) })
	for _, path := range []string{"/api/v1/rounds/latest", "/api/v1/rounds/latest/rewards", "/api/v1/rounds/latest/miners/1"} {
		if got := b.ask(t, http.MethodGet, path, ""); got.status != 404 || !strings.Contains(got.body, "not-concluded") {
			t.Errorf("%s: %d %s, want 404 not-concluded", path, got.status, got.body)
		}
	}
	for _, auth := range []string{"", "Bearer", "Bearer ", "Bearer x"} {
		if got := b.ask(t, http.MethodPost, "/api/v1/rounds/latest/replay", "", "Authorization", auth); got.status != 403 {
			t.Errorf("a replay with %q: %d, want 403", auth, got.status)
		}
	}
}

// What only the operator can mend is in the log, once, and not in the answer.
func TestFailuresAreTheOperators(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		limit  func(context.Context) (ratelimit.State, error)
		status int
		log    string
	}{
		{"a panic", func(context.Context) (ratelimit.State, error) { panic("in the bucket, for " + "ghp_0123456789abcdef") }, 500, "in the bucket"},
		{"Redis away", func(context.Context) (ratelimit.State, error) {
			return ratelimit.State{}, errors.New("redis: connection refused at 10.0.0.1")
		}, 503, "connection refused"},
		{"a slow server", func(ctx context.Context) (ratelimit.State, error) { <-ctx.Done(); return ratelimit.State{}, ctx.Err() }, 503, "status=503"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(cfg *settings) {
				cfg.Limit = c.limit
				if c.name == "a slow server" {
					cfg.Timeout = 50 * time.Millisecond
				}
			})
			got := b.ask(t, http.MethodGet, "/api/v1/limit", "")
			if got.status != c.status || c.status == 503 && got.header.Get("Retry-After") == "" {
				t.Errorf("%d, Retry-After %q, want %d", got.status, got.header.Get("Retry-After"), c.status)
			}
			for _, inner := range []string{"goroutine", ".go:", "redis", "in the bucket", "ghp_"} {
				if strings.Contains(got.body, inner) {
					t.Errorf("the answer tells %q: %s", inner, got.body)
				}
			}
			log := b.Log.String()
			if strings.Count(log, "a request of the API") != 1 || !strings.Contains(log, c.log) || strings.Contains(log, "ghp_") {
				t.Errorf("the log is\n%s\nwant one line with %q, and no secret", log, c.log)
			}
		})
	}
}

// Requests beyond those at work wait, and are told to come again.
func TestTooManyRequestsWait(t *testing.T) {
	t.Parallel()
	const atWork = 8
	entered, release := make(chan struct{}, atWork), make(chan struct{})
	b := setup(t, func(c *settings) {
		c.Timeout = 300 * time.Millisecond
		c.Limit = func(context.Context) (ratelimit.State, error) {
			entered <- struct{}{}
			<-release
			return ratelimit.State{Egress: "default"}, nil
		}
	})
	var wait sync.WaitGroup
	for range atWork {
		wait.Go(func() { b.ask(t, http.MethodGet, "/api/v1/limit", "") })
	}
	for range atWork {
		<-entered
	}
	if got := b.ask(t, http.MethodGet, "/api/v1/limit", ""); got.status != 503 || !strings.Contains(got.body, "problems/busy") {
		t.Errorf("one more than there are slots: %d %s, want 503 busy", got.status, got.body)
	}
	close(release)
	wait.Wait()
}

// The evaluations of all miners take longer than another answer: they have a time
// of their own, which fits the validator's adapter, and a turn of their own.
func TestEvaluationsHaveATimeOfTheirOwn(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *settings) { c.Timeout = time.Nanosecond })
	b.Work(t)
	b.Concluded(t, now)
	for path, want := range map[string]int{"rewards": http.StatusServiceUnavailable, "evaluations": http.StatusOK} {
		if got := b.ask(t, http.MethodGet, "/api/v1/rounds/latest/"+path, ""); got.status != want {
			t.Errorf("%s in no time: %d %.200s, want %d", path, got.status, got.body, want)
		}
	}
}

// NATS away is no more than that: 503 when the request's time is over.
func TestNATSAway(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *settings) { c.Timeout = 200 * time.Millisecond })
	b.Stop()
	for _, path := range []string{"/api/v1/rounds", "/api/v1/rounds/latest", "/api/v1/rounds/latest/rewards"} {
		if got := b.ask(t, http.MethodGet, path, ""); got.status != 503 || strings.Contains(got.body, "nats") {
			t.Errorf("%s: %d %s, want 503 without the reason", path, got.status, got.body)
		}
	}
}
