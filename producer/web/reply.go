package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"mirrorfleet/producer/view"
)

// reply is an answer. It is complete before its first byte is sent, so that an error in the
// middle still becomes a problem document.
type reply struct {
	status int // 0 for 200
	body   any
	// raw is a body that is JSON already.
	raw []byte
	// tag is the entity tag; "" for an answer that changes each time.
	tag string
	// stream is whose events are sent in place of a body; nil for an answer that is whole.
	stream *view.Subscription
	header map[string]string
	typ    string // "" for application/json
}

// tagOf is the entity tag of an answer about a revision. It is a weak one: an age, or a
// field that a later build adds, changes the bytes of an answer about the same outcome.
func tagOf(round string, revision int) string { return fmt.Sprintf(`W/"%s.%d"`, round, revision) }

// fresh reports whether the caller already has what the tag stands for (If-None-Match).
func fresh(r *http.Request, tag string) bool {
	for _, line := range r.Header.Values("If-None-Match") {
		for known := range strings.SplitSeq(line, ",") {
			known = strings.TrimSpace(known)
			if known == "*" || strings.TrimPrefix(known, "W/") == strings.TrimPrefix(tag, "W/") {
				return true
			}
		}
	}
	return false
}

// unchanged is the answer to a caller who has it already.
func unchanged(tag string) reply { return reply{status: http.StatusNotModified, tag: tag} }

func (a reply) write(w http.ResponseWriter, r *http.Request) {
	data := a.raw
	if data == nil && a.body != nil {
		var err error
		if data, err = json.Marshal(a.body); err != nil { // no type of the API does that
			http.Error(w, "the answer cannot be written", http.StatusInternalServerError)
			return
		}
		data = append(data, '\n')
	}
	h := w.Header()
	for name, value := range a.header {
		h.Set(name, value)
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if a.tag != "" {
		h.Set("Cache-Control", "no-cache") // keep it, and ask each time whether it still holds
		h.Set("ETag", a.tag)
	}
	if a.status == http.StatusNotModified {
		w.WriteHeader(a.status)
		return
	}
	h.Set("Content-Type", "application/json")
	if a.typ != "" {
		h.Set("Content-Type", a.typ)
	}
	h.Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(max(a.status, http.StatusOK))
	if r.Method != http.MethodHead {
		_, _ = w.Write(data) // the caller may have hung up
	}
}
