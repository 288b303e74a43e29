package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// digest is of a token; the zero one is no token's.
type digest [sha256.Size]byte

func digestOf(token string) digest { return sha256.Sum256([]byte(token)) }

// mayReplay refuses whoever does not bring the token of replays.
func (a *API) mayReplay(r *http.Request) error {
	if a.token == (digest{}) {
		return &problem{kind: noToken}
	}
	if !brings(r, a.token) {
		return &problem{kind: unauthorized}
	}
	return nil
}

// mayRead refuses whoever brings no token, if one is needed. Whoever may order may
// read.
func (a *API) mayRead(r *http.Request) error {
	if a.reading == nil || brings(r, *a.reading) || a.token != (digest{}) && brings(r, a.token) {
		return nil
	}
	return &problem{kind: unauthorized}
}

// brings compares digests, which takes as long whatever is sent.
func brings(r *http.Request, want digest) bool {
	scheme, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got := digestOf(strings.TrimSpace(sent))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && strings.EqualFold(scheme, "Bearer")
}
