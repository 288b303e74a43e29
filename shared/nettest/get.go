package nettest

import (
	"io"
	"net/http"
	"testing"

	"mirrorfleet/shared/must"
)

// Get reads a page; headers are names and values by turns. The connection is not
// kept.
func Get(tb testing.TB, url string, headers ...string) (status int, body string) {
	tb.Helper()
	request := must.Get(http.NewRequestWithContext(tb.Context(), http.MethodGet, url, nil))(tb)
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	must.Do(tb, err)
	defer response.Body.Close()
	data := must.Get(io.ReadAll(response.Body))(tb)

	return response.StatusCode, string(data)
}
