package miners

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// permitsLeft is GitHub's header of how many requests a token has left.
const permitsLeft = "X-Ratelimit-Remaining"

// verdict is what one answer of GET /user means.
type verdict struct {
	identity Identity
	// again says that another try may bring more.
	again bool
	// pause is how long GitHub asks everybody who sends from here to wait.
	pause time.Duration
	// why is for the log; it holds nothing of the answer but its status.
	why string
}

// judge reads an answer as the validator does: 200 with an id is known; 408 and
// rate limits are no word on the token, nor is anything but a 4xx.
//
// A primary limit is the token's own (its owner has used it up), so that nobody
// else waits for it, and nor does this look-up: it lasts up to an hour. A
// secondary one, which names a Retry-After, is the sender's: every look-up waits for it.
func judge(status int, header http.Header, body []byte) verdict {
	limited := status == http.StatusTooManyRequests ||
		status == http.StatusForbidden && (header.Get(permitsLeft) == "0" || strings.Contains(strings.ToLower(message(body)), "rate limit"))
	why := "status " + strconv.Itoa(status)
	switch {
	case status == http.StatusOK:
		if id := idOf(body); id != "" {
			return verdict{identity: Identity{State: Known, GitHubID: id}}
		}
		return verdict{again: true, why: why + " without an id"}
	case limited:
		pause := retryAfter(header)
		return verdict{again: pause > 0 || header.Get(permitsLeft) != "0", pause: pause, why: why + ", a rate limit"}
	case status == http.StatusRequestTimeout, status < 400, status >= 500:
		return verdict{again: true, pause: retryAfter(header), why: why}
	}
	return verdict{identity: Identity{State: Refused}, why: why}
}

func idOf(body []byte) string {
	var user struct {
		ID json.RawMessage `json:"id"`
	}
	if json.Unmarshal(body, &user) != nil {
		return ""
	}
	return githubID(user.ID)
}

func message(body []byte) string {
	var said struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &said) != nil {
		return string(body)
	}
	return said.Message
}

// retryAfter is in seconds; GitHub knows no other form.
func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.ParseUint(strings.TrimSpace(header.Get("Retry-After")), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
