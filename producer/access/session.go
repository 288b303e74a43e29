package access

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"maps"
	"math"
	"net"
	"net/http"
	"strconv"
	"time"
)

// SessionTime is how long a sign-in lasts: a day's work.
const SessionTime = 12 * time.Hour

// maxSessions bounds the memory that sign-ins take. The oldest session leaves for a new one.
const maxSessions = 1000

// Why a sign-in is refused.
var (
	ErrWrongToken = errors.New("the token is not one of this server")
	// ErrTooMany comes with the header Retry-After.
	ErrTooMany = errors.New("too many wrong tokens came from this address")
)

// session is a caller who has signed in. What it may do is fixed then: tokens change only
// with a restart, which ends all sessions.
type session struct {
	caller Caller // without From, which each request has
	began  time.Time
}

// SignIn gives a caller with a right token the cookie of a new session.
func (g *Guard) SignIn(w http.ResponseWriter, r *http.Request, secret string) (Caller, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if wait := g.wrong.wait(from(r), now); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		return g.stranger(r), ErrTooMany
	}
	caller, right := g.recognize(secret, from(r))
	if !right {
		g.wrong.add(from(r))
		return caller, ErrWrongToken
	}
	id := make([]byte, 32)
	_, _ = rand.Read(id) // it never fails
	text := hex.EncodeToString(id)
	caller.SignedIn = true
	g.dropLocked(now)
	g.sessions[digestOf(text)] = session{caller, now}
	http.SetCookie(w, g.cookie(r, text, int(SessionTime.Seconds())))
	return caller, nil
}

// dropLocked makes room for a session: those that are over leave, then the oldest.
func (g *Guard) dropLocked(now time.Time) {
	maps.DeleteFunc(g.sessions, func(_ digest, s session) bool { return s.over(now) })
	if len(g.sessions) < maxSessions {
		return
	}
	var oldest digest
	var began time.Time
	for id, s := range g.sessions {
		if began.IsZero() || s.began.Before(began) {
			oldest, began = id, s.began
		}
	}
	delete(g.sessions, oldest)
}

func (s session) over(now time.Time) bool { return now.Sub(s.began) >= SessionTime }

// visitor is the caller by its cookie.
func (g *Guard) visitor(r *http.Request) Caller {
	cookie, err := r.Cookie(g.cookieName(r))
	if err != nil {
		return g.stranger(r)
	}
	g.mu.Lock()
	s, there := g.sessions[digestOf(cookie.Value)]
	g.mu.Unlock()
	if !there || s.over(g.now()) {
		return g.stranger(r)
	}
	s.caller.From = from(r)
	return s.caller
}

// SignOut ends the session of a request, and has the browser forget its cookie.
func (g *Guard) SignOut(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(g.cookieName(r)); err == nil {
		g.mu.Lock()
		delete(g.sessions, digestOf(cookie.Value))
		g.mu.Unlock()
	}
	http.SetCookie(w, g.cookie(r, "", -1))
}

// cookieName has with TLS the prefix by which browsers take such a cookie only from this very
// host, by TLS and for every path:
// https://developer.mozilla.org/en-US/docs/Web/HTTP/Guides/Cookies#cookie_prefixes
//
// A browser gives a cookie to all ports of a host name. The name has the port as the browser
// knows it, so that two producers there do not replace each other's cookies.
func (g *Guard) cookieName(r *http.Request) string {
	name := "mirrorfleet"
	if g.secure {
		name = "__Host-mirrorfleet"
	}
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err == nil {
			return name + "-" + port
		}
	}
	return name
}

func (g *Guard) cookie(r *http.Request, value string, maxAge int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure is set where there is TLS; on loopback there is none
		Name:     g.cookieName(r),
		Value:    value,
		Path:     "/",
		MaxAge:   maxAge,
		Secure:   g.secure,
		HttpOnly: true,
		SameSite: http.SameSiteStrictMode,
	}
}

// Wrong tokens are counted for each address in windows of a minute.
const (
	guessTime  = time.Minute
	maxGuesses = 10
	// maxGuessers bounds the addresses of one window. Those that come later share a count.
	maxGuessers = 1000
)

// guesses counts the wrong tokens of one window.
type guesses struct {
	began  time.Time
	counts map[string]int
}

// wait says how long an address may not try a token. It begins a window when the last one is
// over; a clock that was set back begins one, too.
func (g *guesses) wait(from string, now time.Time) time.Duration {
	age := now.Sub(g.began)
	if age < 0 || age >= guessTime {
		g.began = now
		clear(g.counts)
		return 0
	}
	if g.counts[g.key(from)] < maxGuesses {
		return 0
	}
	return guessTime - age
}

func (g *guesses) add(from string) { g.counts[g.key(from)]++ }

// key is the address, or "" for all that find the table full.
func (g *guesses) key(from string) string {
	if _, there := g.counts[from]; !there && len(g.counts) >= maxGuessers {
		return ""
	}
	return from
}
