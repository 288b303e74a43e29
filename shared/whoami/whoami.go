package whoami

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"mirrorfleet/shared/bounded"
)

const (
	// timeout bounds one question, from the look-up of the name to the last byte.
	timeout = 10 * time.Second
	// maxAnswer is far above the longest address in text (45 bytes) with its line's end.
	maxAnswer = 128
	// maxQuoted is how many characters an error quotes of an answer.
	maxQuoted = 60
	// maxError is how many characters are left of a transport's error.
	maxError = 240
)

// Asker asks one service. It is safe for concurrent use.
type Asker struct {
	url    string
	source netip.Addr
	hide   *strings.Replacer
}

// New checks the URL of a service. It is asked from this machine's address source, as the
// mirror is; with the zero address, the system chooses. A URL with a user, a password or a query is
// refused, and not quoted. New looks for their marks in the text itself, because a password can make
// a URL impossible to parse. A path may hold a token, so errors show the host alone.
func New(address string, source netip.Addr) (*Asker, error) {
	if strings.ContainsAny(address, "@?#") {
		return nil, errors.New("the URL has an @, a ? or a #: want one without a user, a password or a query, " +
			"such as https://api64.ipify.org")
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, fmt.Errorf("%q: want a URL that begins with https:// or http://, such as https://api64.ipify.org",
			bounded.Line(withoutPath(address), maxQuoted))
	}
	return &Asker{address, source, hiding(u)}, nil
}

// withoutPath is a text up to the first slash behind what may be a scheme.
func withoutPath(address string) string {
	scheme, rest, found := strings.Cut(address, "://")
	if !found {
		scheme, rest = "", address
	}
	host, _, _ := strings.Cut(rest, "/")
	return strings.TrimPrefix(scheme+"://"+host, "://")
}

// minToken is how long a token is at least. A shorter part of a path, such as "ip", is no secret.
const minToken = 8

// hiding takes the path of a URL out of texts, and the parts of it that may be tokens: a service
// may name another path with the same token.
func hiding(u *url.URL) *strings.Replacer {
	var pairs []string
	for _, path := range []string{u.EscapedPath(), u.Path} {
		if path = strings.TrimRight(path, "/"); path != "" {
			pairs = append(pairs, path, "/…")
		}
		for part := range strings.SplitSeq(path, "/") {
			if len(part) >= minToken {
				pairs = append(pairs, part, "…")
			}
		}
	}
	return strings.NewReplacer(pairs...)
}

// quoted is what an error quotes of a text of others.
func (a *Asker) quoted(text string, maxLen int) string {
	return bounded.Line(a.hide.Replace(text), maxLen)
}

// Ask returns the addresses that the service saw: one for each family over which it answers,
// in order and without repetition. It fails if neither family gives an address.
func (a *Asker) Ask(ctx context.Context) ([]netip.Addr, error) {
	var seen []netip.Addr
	var errs []error
	for _, network := range []string{"tcp4", "tcp6"} {
		addr, err := a.ask(ctx, network)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		seen = append(seen, addr)
	}
	if len(seen) == 0 {
		return nil, errors.Join(errs...)
	}
	slices.SortFunc(seen, netip.Addr.Compare)
	return slices.Compact(seen), nil
}

// ask asks over one family. It closes the connection afterwards, because the next question
// comes minutes later, and may leave by another address.
func (a *Asker) ask(ctx context.Context, network string) (netip.Addr, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", timeout))
	defer cancel()
	dialer := &net.Dialer{}
	if a.source.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(a.source, 0))
	}
	// No proxy: requests to the mirror use none either (package mirror).
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		},
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: 16 << 10,
	}
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url, http.NoBody)
	if err != nil {
		return netip.Addr{}, errors.New(a.quoted(err.Error(), maxError))
	}
	request.Header.Set("Accept", "text/plain")
	answer, err := client.Do(request)
	if err != nil {
		// The text of the transport may quote headers of the answer.
		return netip.Addr{}, fmt.Errorf("over %s: %s", network, a.quoted(err.Error(), maxError))
	}
	defer answer.Body.Close()
	addr, err := a.read(answer)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("over %s: %s %w", network, a.hide.Replace(a.url), err)
	}
	return addr, nil
}

// read takes the address from an answer.
func (a *Asker) read(answer *http.Response) (netip.Addr, error) {
	if to := answer.Header.Get("Location"); to != "" {
		return netip.Addr{}, fmt.Errorf("answers %d and names another URL, %q: give that one, if it is right",
			answer.StatusCode, a.quoted(to, maxQuoted))
	}
	if answer.StatusCode != http.StatusOK {
		return netip.Addr{}, fmt.Errorf("answers with status %d", answer.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return netip.Addr{}, fmt.Errorf("breaks off: %w", err)
	}
	if len(body) > maxAnswer {
		return netip.Addr{}, fmt.Errorf("answers more than %d bytes: want an address as plain text, and nothing else", maxAnswer)
	}
	return Parse(strings.TrimSpace(a.hide.Replace(string(body)))) // an address has no slash, and no part of a path
}

// errNone refuses an address that no other machine on the internet could see.
var errNone = errors.New("is no public address: name a service outside of your own network")

// Parse reads a public address. An IPv4 address written as IPv6 counts as IPv4.
func Parse(text string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("answers %q, which is no IP address", bounded.Line(text, maxQuoted))
	}
	addr = addr.Unmap()
	if addr.Zone() != "" || !addr.IsGlobalUnicast() || addr.IsPrivate() {
		return netip.Addr{}, fmt.Errorf("answers %q, which %w", bounded.Line(text, maxQuoted), errNone)
	}
	return addr, nil
}
