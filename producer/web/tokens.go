package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// digest is the SHA-256 of a token. The zero digest stands for no token.
type digest [sha256.Size]byte

func digestOf(token string) digest { return sha256.Sum256([]byte(token)) }

// mayOrder refuses a caller without the token for replays and orders, and every caller if
// none is set.
func (a *API) mayOrder(r *http.Request) error {
	if a.token == (digest{}) {
		return &problem{kind: noToken}
	}
	if !brings(r, a.token) {
		return &problem{kind: unauthorized}
	}
	return nil
}

// mayRead refuses a caller without the read token, if one is set. The token for orders
// allows reading, too.
func (a *API) mayRead(r *http.Request) error {
	if a.reading == nil || brings(r, *a.reading) || a.token != (digest{}) && brings(r, a.token) {
		return nil
	}
	return &problem{kind: unauthorized}
}

// brings reports whether a request carries the token. It compares digests in constant time,
// so that the time of an answer says nothing about how much of a guess is right.
func brings(r *http.Request, want digest) bool {
	scheme, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got := digestOf(strings.TrimSpace(sent))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && strings.EqualFold(scheme, "Bearer")
}
