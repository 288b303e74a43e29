package mirror_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
)

// Temporary failures are tried again, final ones are not, and an answer after two
// failures is used.
func TestThreeTries(t *testing.T) {
	t.Parallel()
	html := "<!DOCTYPE html><html>\n\t<h1>502 Bad gateway</h1></html>"
	for name, c := range map[string]struct {
		fail   http.HandlerFunc
		status int
		final  bool
		text   string
	}{
		"400":                     {say(400, `{"message":"limit is bad","statusCode":400}`), 400, true, "limit is bad"},
		"404":                     {say(404, `{"message":"unknown"}`), 404, true, "status 404"},
		"404 cut short":           {both(404, cut), 404, true, "status 404"},
		"429":                     {say(429, html), 429, false, "status 429"},
		"500":                     {say(500, `{"message":"oops"}`), 500, false, "oops"},
		"503 without a body":      {say(503, ""), 503, false, "status 503"},
		"502 in HTML":             {say(502, html), 502, false, "502 Bad gateway"},
		"a large error page":      {say(502, strings.Repeat("x", 2<<20)), 502, false, "status 502"},
		"522":                     {say(522, html), 522, false, "status 522"},
		"200 in HTML":             {say(200, html), 200, false, "not JSON"},
		"204":                     {say(204, ""), 204, false, "not JSON"},
		"304":                     {say(304, ""), 304, false, "status 304"},
		"a list":                  {say(200, `[1]`), 200, false, "not an object"},
		"without what it must be": {say(200, `{"status":"ok"}`), 200, false, "github_id is missing"},
		"more after the object":   {say(200, emptyPulls+"x"), 200, false, "not JSON"},
		"a cut body":              {cut, 200, false, "unexpected EOF"},
		"a reset":                 {reset, 0, false, "EOF"},
		"too deep":                {say(200, strings.Repeat(`{"x":`, 20_000)+"1"+strings.Repeat("}", 20_000)), 200, false, "not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, c.fail)
			_, err := b.client.Pulls(t.Context(), "7", windows)
			var failed *mirror.RequestError
			if !errors.As(err, &failed) {
				t.Fatalf("got %v, want a *RequestError", err)
			}
			tries := 3
			if c.final {
				tries = 1
			}
			want := mirror.RequestError{
				Method: "POST", Route: "/api/v1/miners/{github_id}/pulls", Path: "/api/v1/miners/7/pulls",
				Status: c.status, Tries: tries, Final: c.final, Err: failed.Err,
			}
			if *failed != want {
				t.Errorf("got %+v, want %+v", *failed, want)
			}
			if errors.Is(err, mirror.ErrFinal) != c.final || errors.Is(err, mirror.ErrUnavailable) == c.final {
				t.Errorf("final %t, unavailable %t, want final %t and the other not",
					errors.Is(err, mirror.ErrFinal), errors.Is(err, mirror.ErrUnavailable), c.final)
			}
			if !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %q, want it to tell %q", err, c.text)
			}
			b.metered(t, tries)

			b = setup(t, then(say(http.StatusOK, emptyPulls), c.fail, c.fail))
			if _, err = b.client.Pulls(t.Context(), "7", windows); (err != nil) != c.final {
				t.Errorf("after two failures and an answer: got %v, want an error %t", err, c.final)
			}
		})
	}
}

// both answers with a status, and takes the body from another handler.
func both(status int, body http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(status)
		body(w, r)
	}
}

// A mirror that nobody serves is unavailable. The error names the place without address,
// query or cursor.
func TestNobodyThere(t *testing.T) {
	t.Parallel()
	b := setup(t, say(http.StatusOK, health))
	b.server.Close()
	err := b.client.Health(t.Context())
	if !errors.Is(err, mirror.ErrUnavailable) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v, want ErrUnavailable: refused", err)
	}
	if stats := b.client.Stats(); stats.Permits != 0 || stats.Sent != 0 {
		t.Errorf("got %+v, want nothing sent, and no permit spent where no connection can be had", stats)
	}
}

// An attacker's answer must neither break a line of the log nor fill the log.
func TestErrorTextsAreShortAndPrintable(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"long":     strings.Repeat("word ", 10_000),
		"controls": "\x1b[2J\r\nlevel=ERROR msg=forged\u2028\x00" + strings.Repeat("\xff\xfe", 500),
		"runes":    strings.Repeat("é€", 400),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, say(http.StatusNotFound, body))
			_, err := b.client.Files(t.Context(), "a/b", 1)
			text := err.Error()
			prefix := "mirror GET /api/v1/pulls/a/b/1/files: status 404: "
			if !strings.HasPrefix(text, prefix) {
				t.Fatalf("got %q, want it to begin with %q", text, prefix)
			}
			if got := utf8.RuneCountInString(text) - len(prefix) - len(" (tries: 1)"); got > 200 {
				t.Errorf("%d characters of the body, want at most 200", got)
			}
			if i := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
				t.Errorf("got %q, want printable characters only", text)
			}
		})
	}
}

func TestBackoffIsFullJitter(t *testing.T) {
	t.Parallel()
	cfg := mirror.Config{Backoff: time.Second, MaxBackoff: 8 * time.Second}
	for n, longest := range map[int]time.Duration{
		1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 4: 8 * time.Second, 5: 8 * time.Second, 40: 8 * time.Second, 1000: 8 * time.Second,
	} {
		for random, want := range map[float64]time.Duration{0: 0, 0.5: longest / 2, 1: longest} {
			if got := mirror.Backoff(cfg, n, random); got != want {
				t.Errorf("after %d failures, random %v: got %s, want %s", n, random, got, want)
			}
		}
	}
}

func TestRetryAfterIsRead(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"10": 10 * time.Second, " 7 ": 7 * time.Second, "86400": 24 * time.Hour,
		"86401": 24 * time.Hour, "99999999999999999999999": 24 * time.Hour,
		"Fri, 02 Jan 2026 03:04:35 GMT": 30 * time.Second, "Fri, 31 Dec 9999 00:00:00 GMT": 24 * time.Hour,
		// No value, or nonsense. NaN once was a day.
		"": 0, "0": 0, "-5": 0, "+5": 0, "1e3": 0, "1.5": 0, "NaN": 0, "Inf": 0, "0x10": 0, "soon": 0, "Fri, 02 Jan 2026 03:04:05 GMT": 0,
	} {
		got, asked := mirror.RetryAfter(value, now)
		if got != want || asked != (want > 0) {
			t.Errorf("%q: got %s, %t, want %s", value, got, asked, want)
		}
	}
}

// Any answer that demands a pause pauses the egress, whichever job gets it.
func TestCoolDowns(t *testing.T) {
	t.Parallel()
	wait := func(status int, value string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", value)
			w.Header().Set("Location", "/api/v1/health")
			w.WriteHeader(status)
			_, _ = fmt.Fprint(w, health)
		}
	}
	for name, c := range map[string]struct {
		first http.HandlerFunc
		want  []time.Duration
	}{
		"429 in seconds":    {wait(429, "12"), []time.Duration{12 * time.Second}},
		"429 with nonsense": {wait(429, "NaN"), []time.Duration{7 * time.Second}},
		"429 with 0":        {wait(429, "0"), []time.Duration{7 * time.Second}},
		"429 without":       {say(429, ""), []time.Duration{7 * time.Second}},
		"503":               {wait(503, "3"), []time.Duration{3 * time.Second}},
		"503 without":       {say(503, ""), nil},
		"404":               {wait(404, "3"), []time.Duration{3 * time.Second}},
		"an answer":         {wait(200, "3"), []time.Duration{3 * time.Second}},
		"a redirect":        {wait(307, "3"), []time.Duration{3 * time.Second}},
		"a redirect's refusal": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://elsewhere.invalid/")
			w.Header().Set("Retry-After", "3")
			w.WriteHeader(http.StatusFound)
		}, []time.Duration{3 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, then(say(http.StatusOK, health), c.first), func(c *mirror.Config) { c.Throttled = 7 * time.Second })
			_ = b.client.Health(t.Context())
			if diff := cmp.Diff(c.want, b.meter.cooled()); diff != "" {
				t.Errorf("cool-downs (-want +got):\n%s", diff)
			}
		})
	}
}

// An HTTP date is measured from now, and a test cannot know now to the second.
func TestACoolDownByDate(t *testing.T) {
	t.Parallel()
	b := setup(t, then(say(http.StatusOK, health), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	must.Do(t, b.client.Health(t.Context()))
	if got := b.meter.cooled(); len(got) != 1 || got[0] > time.Hour || got[0] < 50*time.Minute {
		t.Errorf("got cool-downs %v, want one of nearly an hour", got)
	}
}

// The fleet is told even if the job that got the answer is given up at that moment. A
// cool-down that cannot be written fails no request.
func TestACoolDownOutlivesItsJob(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	b := setup(t, say(http.StatusTooManyRequests, ""))
	var during atomic.Bool
	b.meter.coolDown = func(told context.Context, _ time.Duration) error {
		cancel()
		during.Store(told.Err() == nil)
		return errors.New("redis is away")
	}
	if err := b.client.Health(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if !during.Load() {
		t.Error("the cool-down's context ended with the job's, want it to live on")
	}

	b = setup(t, then(say(http.StatusOK, health), say(http.StatusTooManyRequests, "")))
	b.meter.coolDown = func(context.Context, time.Duration) error { return errors.New("redis is away") }
	if err := b.client.Health(t.Context()); err != nil {
		t.Errorf("got %v, want the second try's answer", err)
	}
}

func TestATryThatTakesTooLongIsTriedAgain(t *testing.T) {
	t.Parallel()
	for name, stall := range map[string]http.HandlerFunc{
		"before the header": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"in the body": func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprint(w, `{"status":`)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, stall, func(c *mirror.Config) { c.Timeout = 100 * time.Millisecond; c.PoolSize = 1 })
			err := b.client.Health(t.Context())
			if !errors.Is(err, mirror.ErrUnavailable) || !strings.Contains(err.Error(), "no complete answer in time") {
				t.Errorf("got %v, want ErrUnavailable: no complete answer in time", err)
			}
			if errors.Is(err, context.DeadlineExceeded) {
				t.Error("the error matches context.DeadlineExceeded, but nobody's context ended")
			}
			// A busy machine may not even send the request in that time.
			if got := b.client.Stats(); got.Permits != 3 || got.Sent > 3 {
				t.Errorf("got %+v, want three tries with a permit each", got)
			}
		})
	}
}

// The wait for a permit does not count as the mirror's: it may be longer than Timeout.
func TestTheTimeOutStartsWithThePermit(t *testing.T) {
	t.Parallel()
	b := setup(t, say(http.StatusOK, health), func(c *mirror.Config) { c.Timeout = 10 * time.Second })
	waited := make(chan struct{})
	b.meter.permit = func(ctx context.Context, _ int64) (time.Time, error) {
		if _, has := ctx.Deadline(); has {
			t.Error("the wait for a permit has a deadline, want none but the caller's")
		}
		close(waited)
		return time.Now().Add(time.Hour), nil
	}
	must.Check(t, b.client.Health(t.Context()))
	<-waited
}
