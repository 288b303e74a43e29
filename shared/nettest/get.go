package nettest

import (
	"cmp"
	"io"
	"net/http"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
)

// Get reads a page, as [Ask] does.
func Get(tb testing.TB, url string, headers ...string) (status int, body string) {
	tb.Helper()
	answer := Ask(tb, http.MethodGet, url, "", headers...)
	return answer.Status, answer.Body
}

// Answer is what came of a request, read whole.
type Answer struct {
	Request *http.Request
	Status  int
	Header  http.Header
	Body    string
}

// Ask sends a request; headers are names and values by turns. The connection is not
// kept.
func Ask(tb testing.TB, method, url, body string, headers ...string) Answer {
	tb.Helper()
	request := must.Get(http.NewRequestWithContext(tb.Context(), method, url, strings.NewReader(body)))(tb)
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	request.Host = cmp.Or(request.Header.Get("Host"), request.Host) // a client sends no Host of the header
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	must.Do(tb, err)
	defer response.Body.Close()
	data := must.Get(io.ReadAll(response.Body))(tb)
	return Answer{
		Request: request,
		Status:  response.StatusCode,
		Header:  response.Header,
		Body:    string(data),
	}
}
