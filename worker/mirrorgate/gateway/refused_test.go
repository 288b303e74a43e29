package gateway_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
)

// raw sends a request as it is written.
func raw(t *testing.T, b *bundle, text string) answer {
	t.Helper()
	conn := must.Get(new(net.Dialer).DialContext(t.Context(), "tcp", b.server.Addr()))(t)
	defer conn.Close()
	_ = must.Get(io.WriteString(conn, text))(t)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(data), err}
}

// What is no request of the mirror's API is refused, and spends nothing.
func TestWhatIsNoneOfTheMirrorsIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, say(http.StatusOK, `{}`), func(s *settings) { s.gateway.MaxRequest = 1000 })
	const end = " HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n"
	long := strings.Repeat("x", 1001)
	for request, status := range map[string]int{
		"GET http://elsewhere.example/api/v1/health" + end + "\r\n":  400,
		"GET https://elsewhere.example/api/v1/health" + end + "\r\n": 400,
		"CONNECT elsewhere.example:443" + end + "\r\n":               405,
		"GET /api/v1/health" + end + "Upgrade: websocket\r\n\r\n":    400,
		"GET /" + end + "\r\n":                                                                                     404,
		"GET /healthz" + end + "\r\n":                                                                              404,
		"GET /sim/stats" + end + "\r\n":                                                                            404,
		"GET /api/v1/miners/7" + end + "\r\n":                                                                      404,
		"GET /api/v1/miners//pulls" + end + "\r\n":                                                                 404,
		"GET /api/v1/miners/../health" + end + "\r\n":                                                              404,
		"GET /api/v1/miners/%2e%2e/pulls" + end + "\r\n":                                                           404,
		"GET /api/v1/miners/7%2F8/pulls" + end + "\r\n":                                                            404,
		"GET /api/v1/miners/a%20b/pulls" + end + "\r\n":                                                            404,
		"GET /api/v1/health/" + end + "\r\n":                                                                       404,
		"GET //api/v1/health" + end + "\r\n":                                                                       404,
		"DELETE /api/v1/miners/7/pulls" + end + "\r\n":                                                             405,
		"POST /api/v1/health" + end + "Content-Length: 0\r\n\r\n":                                                  405,
		"POST /api/v1/miners/7/pulls" + end + "Content-Length: 1001\r\n\r\n" + long:                                413,
		"POST /api/v1/miners/7/pulls" + end + "Content-Length: 99999999999\r\n\r\n":                                413,
		"POST /api/v1/miners/7/pulls" + end + "Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + long + "\r\n0\r\n\r\n": 413,
		"POST /api/v1/miners/7/pulls" + end + "Transfer-Encoding: chunked\r\n\r\nno\r\n":                           400,
	} {
		got := raw(t, b, request)
		line, _, _ := strings.Cut(request, "\r\n")
		got.refused(t, line, status)
		if allow := got.header.Get("Allow"); (allow != "") != (status == http.StatusMethodNotAllowed) {
			t.Errorf("%s: Allow is %q with status %d", line, allow, status)
		}
	}
	if permits, asks := b.meter.permits.Load(), b.asks.Load(); permits != 0 || asks != 0 {
		t.Errorf("%d permits were spent and the mirror saw %d requests, want none", permits, asks)
	}
}

// All that docs/rules/mirror.md lists is passed on, as it was asked.
func TestTheMirrorsAPIIsPassedOn(t *testing.T) {
	t.Parallel()
	b := setup(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, r.Method+" "+r.URL.RequestURI()+" "+string(body))
	})
	for _, request := range []string{
		"GET /api/v1/health ", "GET /api/v1/miners/7/pulls?since=2026-01-01T00:00:00%2B00:00&limit=200&cursor=a_-b ",
		"GET /api/v1/miners/7/issues ", `POST /api/v1/miners/7/pulls?limit=200 {"since_by_repo":{}}`, `POST /api/v1/miners/7/issues {}`,
		"GET /api/v1/pulls/Own-er/re.po_x/12/files ", "GET /api/v1/repos/a/b/maintainers ",
		"GET /api/v1/dashboard/issues?since=1970-01-01T00:00:00Z ",
	} {
		part := strings.SplitN(request, " ", 3)
		got := ask(t.Context(), visitor(t), part[0], b.url+part[1], part[2])
		if got.err != nil || got.status != http.StatusOK || got.body != request {
			t.Errorf("%s: the mirror saw %d %q (%v)", request, got.status, got.body, got.err)
		}
	}
	if head := ask(t.Context(), visitor(t), http.MethodHead, b.url+health, ""); head.status != http.StatusOK || head.err != nil {
		t.Errorf("HEAD: got %d, %v, want 200", head.status, head.err)
	}
}
