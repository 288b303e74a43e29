package mirrorsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// answer is one answer before it is sent.
type answer struct {
	status int
	html   bool
	retry  time.Duration // Retry-After, when above 0
	body   []byte
}

// ok is an answer of JSON.
func ok(body []byte) answer { return answer{status: http.StatusOK, body: body} }

// refusal is an error in the mirror's own form.
func refusal(status int, format string, args ...any) answer {
	return answer{status: status, body: encode(struct {
		Message    string `json:"message"`
		Error      string `json:"error"`
		StatusCode int    `json:"statusCode"` //nolint:tagliatelle // the mirror's spelling
	}{fmt.Sprintf(format, args...), http.StatusText(status), status})}
}

// pageTitles are Cloudflare's own words for its own statuses, which net/http
// has no texts for.
//
//nolint:gochecknoglobals // a table
var pageTitles = map[int]string{
	520: "Web server is returning an unknown error",
	521: "Web server is down",
	522: "Connection timed out",
	523: "Origin is unreachable",
	524: "A timeout occurred",
}

// page is an error as Cloudflare sends it: HTML, not JSON.
func page(status int) answer {
	title := pageTitles[status]
	if title == "" {
		title = http.StatusText(status)
	}
	return answer{status: status, html: true, body: fmt.Appendf(nil, `<!DOCTYPE html>
<html lang="en-US">
<head><title>mirror.example | %[1]d: %[2]s</title><meta charset="UTF-8"></head>
<body><div id="cf-wrapper"><h1><span>%[2]s</span> <span>Error code %[1]d</span></h1></div></body>
</html>
`, status, title)}
}

// throttled is the page of a request over the limit.
func throttled(retry time.Duration) answer {
	a := page(http.StatusTooManyRequests)
	a.retry = retry
	return a
}

// spoiled is a right answer with a fault in its body.
func spoiled(right answer, fault Fault) answer {
	switch fault {
	case FaultMalformed:
		// Whole by its length, and broken off as JSON: half a body would be cut.
		return ok(append(bytes.Clone(right.body[:len(right.body)/2]), `, "rest": [`...))
	case FaultHTML:
		return page(http.StatusOK)
	case FaultNoFiles, FaultSomeFiles, FaultNoTexts:
		right.body = halfWritten(right.body, fault)
		return right
	default:
		return right
	}
}

// halfWritten is a files answer from the moment when the mirror is writing its rows. Any
// other body, such as an error, stays as it is.
func halfWritten(body []byte, fault Fault) []byte {
	var fields map[string]json.RawMessage
	var files []map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil || json.Unmarshal(fields["files"], &files) != nil {
		return body
	}
	written := len(files) / 2
	switch fault {
	case FaultNoFiles:
		files = files[:0]
	case FaultSomeFiles:
		files = files[:written]
	default:
		for _, file := range files[written:] {
			file["head_content"] = nil
			file["base_content"] = nil
			file["byte_size"] = nil
			file["is_binary"] = json.RawMessage("false")
		}
	}
	fields["files"] = encode(files)
	return encode(fields)
}
