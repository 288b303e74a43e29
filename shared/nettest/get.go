package nettest

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
)

// Get reads a page, as [Ask] does.
func Get(tb testing.TB, url string, headers ...string) (status int, body string) {
	tb.Helper()
	response, body := Ask(tb, http.MethodGet, url, "", headers...)

	return response.StatusCode, body
}

// Ask sends a request and reads the answer whole; headers are names and values by
// turns. The connection is not kept.
func Ask(tb testing.TB, method, url, content string, headers ...string) (response *http.Response, body string) {
	tb.Helper()
	request := must.Get(http.NewRequestWithContext(tb.Context(), method, url, strings.NewReader(content)))(tb)
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	must.Do(tb, err)
	defer response.Body.Close()
	data := must.Get(io.ReadAll(response.Body))(tb)

	return response, string(data)
}
