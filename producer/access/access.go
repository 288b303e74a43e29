package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Token is a token for orders, with the name by which logs tell whose it is.
type Token struct {
	Name   string // 1 to 32 of a-z, 0-9 and -
	Secret string
}

// Config is who may do what.
type Config struct {
	// Orders are the tokens for orders, which also allow reading. Without one nobody may order.
	Orders []Token
	// Read is the token for reading; "" lets anybody read.
	Read string
	// Hosts are the names, without port, under which clients may address the server, besides
	// localhost and every IP address.
	Hosts []string
	// Secure says that the server speaks TLS: cookies are then sent by TLS only.
	Secure bool
	// Now is the clock of sessions and of wrong guesses. Default: time.Now.
	Now func() time.Time
}

// Guard decides who may do what. It may be used by many goroutines.
type Guard struct {
	orders []known
	read   *digest // nil lets anybody read
	hosts  []string
	secure bool
	now    func() time.Time
	cross  *http.CrossOriginProtection

	mu       sync.Mutex
	sessions map[digest]session
	wrong    guesses
}

// known is a token that is known by its digest alone.
type known struct {
	name   string
	digest digest
}

type digest [sha256.Size]byte

func digestOf(secret string) digest { return sha256.Sum256([]byte(secret)) }

// New returns a guard. Its errors name the token or the host that cannot be used, and no
// secret.
func New(cfg Config) (*Guard, error) {
	if err := CheckTokens(cfg.Orders); err != nil {
		return nil, err
	}
	if err := CheckHosts(cfg.Hosts); err != nil {
		return nil, err
	}
	g := &Guard{
		secure:   cfg.Secure,
		now:      cfg.Now,
		cross:    http.NewCrossOriginProtection(),
		sessions: map[digest]session{},
		wrong:    guesses{counts: map[string]int{}},
	}
	if g.now == nil {
		g.now = time.Now
	}
	for _, t := range cfg.Orders {
		g.orders = append(g.orders, known{t.Name, digestOf(t.Secret)})
	}
	if cfg.Read != "" {
		read := digestOf(cfg.Read)
		g.read = &read
	}
	for _, name := range cfg.Hosts {
		g.hosts = append(g.hosts, plainHost(name))
	}
	return g, nil
}

// maxName is the length of a token's name in a log line.
const maxName = 32

// CheckTokens refuses tokens that cannot be told apart: names that are malformed or given
// twice, and a token under two names.
func CheckTokens(tokens []Token) error {
	for i, t := range tokens {
		strange := func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }
		if t.Name == "" || len(t.Name) > maxName || strings.ContainsFunc(t.Name, strange) {
			return fmt.Errorf("the name %.80q of a token: want 1 to %d of a-z, 0-9 and -", t.Name, maxName)
		}
		if t.Secret == "" {
			return fmt.Errorf("the token %s is empty", t.Name)
		}
		for _, other := range tokens[:i] {
			switch {
			case other.Name == t.Name:
				return fmt.Errorf("two tokens have the name %s: give each its own, as NAME=FILE", t.Name)
			case digestOf(other.Secret) == digestOf(t.Secret):
				return fmt.Errorf("%s and %s are the same token: a log line could not tell who gave an order; make one for each",
					other.Name, t.Name)
			}
		}
	}
	return nil
}

// CheckHosts refuses any other text than the name of a host, such as a URL.
func CheckHosts(names []string) error {
	for _, name := range names {
		strange := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`/:@*,"`, r) }
		if plainHost(name) == "" || strings.ContainsFunc(name, strange) {
			return fmt.Errorf("%.80q is no name of a host: want one such as fleet.example, without scheme and port", name)
		}
	}
	return nil
}

// Caller is who sent a request, and what it may do.
type Caller struct {
	// Name is that of its token for orders; "" for none, and for the token for reading.
	Name string
	// From is its address, without the port.
	From          string
	Reads, Orders bool
	// SignedIn says that a session tells who it is, which it can end.
	SignedIn bool
}

// Caller is who sent a request. A header Authorization counts alone if there is one, and
// otherwise the cookie of a session.
func (g *Guard) Caller(r *http.Request) Caller {
	if r.Header.Get("Authorization") == "" {
		return g.visitor(r)
	}
	bearer, _ := g.bearer(r)
	return bearer
}

// bearer is the caller by its header Authorization. right is false without one of the
// guard's tokens in it.
func (g *Guard) bearer(r *http.Request) (_ Caller, right bool) {
	scheme, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	c, right := g.recognize(strings.TrimSpace(sent), from(r))
	if !strings.EqualFold(scheme, "Bearer") {
		return g.stranger(r), false
	}
	return c, right
}

// recognize is the caller who has a secret. It compares with every token, whatever the
// comparisons before came to.
func (g *Guard) recognize(secret, from string) (c Caller, right bool) {
	got := digestOf(secret)
	at, reads := -1, 0
	for i, t := range g.orders {
		at = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(got[:], t.digest[:]), i, at)
	}
	if g.read != nil {
		reads = subtle.ConstantTimeCompare(got[:], g.read[:])
	}
	c = Caller{From: from, Reads: g.read == nil || reads == 1}
	if at >= 0 {
		c.Name = g.orders[at].name
		c.Reads = true
		c.Orders = true
	}
	return c, at >= 0 || reads == 1
}

// stranger is a caller without a token.
func (g *Guard) stranger(r *http.Request) Caller { return Caller{From: from(r), Reads: g.read == nil} }

// TakesOrders says whether there is a token for orders.
func (g *Guard) TakesOrders() bool { return len(g.orders) > 0 }

// ReadsFreely says whether anybody may read, without a token.
func (g *Guard) ReadsFreely() bool { return g.read == nil }

// from is the address of a request's sender without its port, which tells nothing.
func from(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return at.Addr().Unmap().String()
}

// The reasons for which Protect refuses a request.
var (
	// ErrForeignHost is a request for a name that is not this server's.
	ErrForeignHost = errors.New("this server is not known by the name")
	// ErrCrossOrigin is a request that a page of another site had a browser send.
	ErrCrossOrigin = errors.New("a page of another site sent this request")
)

// Protect passes to next what a browser could not be made to send by a page of another site;
// refuse answers the rest. A request with a right token in its header Authorization is
// passed on whatever its host: no page of another site has the token.
func (g *Guard) Protect(next http.Handler, refuse func(w http.ResponseWriter, r *http.Request, err error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, right := g.bearer(r); !right && !g.isOurs(r.Host) {
			refuse(w, r, fmt.Errorf("%w %.80q; it is known by %s", ErrForeignHost, r.Host, g.accepted()))
			return
		}
		if err := g.cross.Check(r); err != nil {
			refuse(w, r, fmt.Errorf("%w: %w", ErrCrossOrigin, err))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isOurs says whether the header Host, with or without a port, is one of this server. An
// address is: a page of another site cannot be loaded from it.
func (g *Guard) isOurs(host string) bool {
	host = plainHost(host)
	_, err := netip.ParseAddr(host)
	return err == nil || host == "localhost" || slices.Contains(g.hosts, host)
}

func (g *Guard) accepted() string {
	return strings.Join(append([]string{"its IP address", "localhost"}, g.hosts...), ", ")
}

// plainHost is the host of a header Host without port, brackets, the dot of the root and
// capitals.
func plainHost(host string) string {
	if after, is := strings.CutPrefix(host, "["); is {
		host, _, _ = strings.Cut(after, "]")
	} else if strings.Count(host, ":") == 1 { // more are of a bare IPv6 address
		host, _, _ = strings.Cut(host, ":")
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
