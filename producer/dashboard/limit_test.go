package dashboard_test

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/roundtest"

	"mirrorfleet/producer/dashboard"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/whoami"
)

// The page of the limit says of each egress how it stands, draws what it sent, and links to
// what can be done; an egress that nobody has declared stands out.
func TestLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	has(t, b.get(t, "/limit"), http.StatusOK, "There is no bucket in Redis yet")
	must.Do(t, b.Bus.Egresses.Set(t.Context(), job.Egresses{Names: []string{"default", "quiet"}, By: "p1"}, 0))
	must.Get(b.Limiter.Permit(t.Context()))(t)
	has(t, b.get(t, "/limit"), http.StatusOK, "<title>Limit ·", `id="egress-default"`, `href="/limit/default/hold"`, "what the mirror allows",
		"no bucket: nobody has asked", `<a href="/api/v1/egresses">`, `aria-current="page">Limit`)
	operator := must.Get(ratelimit.NewOperator("default", b.Redis, time.Second))(t)
	must.Get(operator.Hold(t.Context(), time.Hour, ratelimit.Note{By: "bob", Why: hostile}))(t)
	page := b.get(t, "/limit?sort=-granted")
	has(t, page, http.StatusOK, "<title>1 stopped · Limit", "by <bdi>bob</bdi>: <bdi>=cmd&lt;script&gt;", `href="/limit/default/release"`, ">held<")
	if strings.Contains(page.Body, "end-cool-down") {
		t.Error("a cool-down is to be ended, and there is none")
	}
	must.Get(operator.Release(t.Context()))(t)
	must.Do(t, b.Limiter.CoolDown(t.Context(), time.Minute))
	has(t, b.get(t, "/limit"), http.StatusOK, ">cooling down<", `href="/limit/default/end-cool-down"`)
	for path, want := range map[string]string{
		"/limit?sort=x&filter=q": "want one of egress, state", "/limit?page=2": "want a whole number from 1 to 1", "/limit?page=x": "&#34;x&#34;",
	} {
		has(t, b.get(t, path), http.StatusBadRequest, want)
	}
	has(t, b.get(t, "/limit?filter="+"zzz"), http.StatusOK, "No egress has “<bdi>zzz</bdi>”")
}

// Somebody sends under an egress that the fleet has not declared.
func TestAnUndeclaredEgress(t *testing.T) {
	t.Parallel()
	b := setup(t)
	must.Do(t, b.Bus.Egresses.Set(t.Context(), job.Egresses{Names: []string{"eu-1"}, By: "p1"}, 0))
	must.Get(b.Limiter.Permit(t.Context()))(t)
	has(t, b.get(t, "/limit"), http.StatusOK, `role="alert">Not declared: <a href="#egress-default">`, ">not declared<")
}

// Each egress has its public addresses; an address of several egresses stands out, and so does
// an egress of several addresses. What a process calls itself is escaped.
func TestTheAddressesOfEgresses(t *testing.T) {
	t.Parallel()
	from := func(egress, name, address string) whoami.Process {
		return whoami.Process{Egress: egress, Name: name, Addresses: []netip.Addr{netip.MustParseAddr(address)}}
	}
	b := setup(t, func(c *dashboard.Config) {
		c.Buckets = func(context.Context) ([]ratelimit.State, error) {
			return []ratelimit.State{
				{Egress: "eu-1", Known: true, Processes: []whoami.Process{from("eu-1", "worker <b>", "192.0.2.1"), from("eu-1", "g", "192.0.2.2")}},
				{Egress: "eu-2", Known: true, Processes: []whoami.Process{from("eu-2", "w", "192.0.2.1")}},
			}, nil
		}
	})
	has(t, b.get(t, "/limit"), http.StatusOK, `role="alert">One address, several egresses: <bdi>192.0.2.1</bdi> is the address of <a href="#egress-eu-1">`,
		"<bdi>192.0.2.1</bdi> (<bdi>worker &lt;b&gt;</bdi>); <bdi>192.0.2.2</bdi> (<bdi>g</bdi>)", "Its processes send from different addresses")
}

// Without Redis there is a page that says so, and without NATS the buckets are shown.
func TestTheLimitWithoutServers(t *testing.T) {
	t.Parallel()
	away := errors.New("dial tcp 10.9.8.7:6379: refused")
	b := setup(t, func(c *dashboard.Config) {
		c.Buckets = func(context.Context) ([]ratelimit.State, error) { return nil, away }
	})
	page := b.get(t, "/limit")
	has(t, page, http.StatusServiceUnavailable, "Redis did not answer in time", "Health says what is wrong")
	if strings.Contains(page.Body, "10.9.8.7") || !strings.Contains(b.Log.String(), "10.9.8.7") {
		t.Error("the cause is on the page, or not in the log")
	}
	b = setup(t, func(c *dashboard.Config) {
		c.Timeout = time.Second
		c.Buckets = func(context.Context) ([]ratelimit.State, error) {
			return []ratelimit.State{{Egress: "eu-1", Known: true, Granted: 7, Limit: 50, Window: 10 * time.Second, Use: make([]int64, 29)}}, nil
		}
	})
	b.Stop()
	has(t, b.get(t, "/limit"), http.StatusOK, "eu-1", "No producer has declared")
	has(t, b.get(t, "/tokens"), http.StatusServiceUnavailable, "NATS or Redis did not answer in time")
	has(t, b.get(t, "/workers"), http.StatusServiceUnavailable)
	has(t, b.get(t, "/search?q=h1"), http.StatusServiceUnavailable)
}

// Whoever may not read gets the sign-in, and nothing else.
func TestReadingNeedsTheToken(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *dashboard.Config) { c.Guard = roundtest.Guard(t, "PLANTED-0123456789-reader") })
	for _, path := range []string{"/", "/limit", "/workers", "/tokens", "/search?q=h1", "/nothing"} {
		page := b.get(t, path)
		if has(t, page, http.StatusUnauthorized, "Sign in"); strings.Contains(page.Body, "Egress") {
			t.Errorf("%s shows something", path)
		}
	}
	has(t, b.get(t, "/limit", "Authorization", "Bearer PLANTED-0123456789-reader"), http.StatusOK, "The limit")
}
