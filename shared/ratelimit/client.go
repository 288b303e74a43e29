package ratelimit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// NewClient makes a Redis client as [New] wants it, from a URL such as
// redis://user:password@host:6379/0 (rediss:// for TLS). It sends nothing twice,
// keeps to the deadline of each call, and is back as soon as the server is,
// however long it was away. The timeout bounds each dial, read and write; zero
// is DefaultTimeout. It connects when first used. Errors never show a password.
func NewClient(address string, timeout time.Duration) (*redis.Client, error) {
	return NewSecureClient(address, timeout, Files{})
}

// NewSecureClient is NewClient with files of TLS and of the password.
func NewSecureClient(address string, timeout time.Duration, files Files) (*redis.Client, error) {
	if timeout < 0 {
		return nil, fmt.Errorf("ratelimit: the Redis timeout is %v, want more than 0, or 0 for %v", timeout, DefaultTimeout)
	}
	timeout = cmp.Or(timeout, DefaultTimeout)
	options, err := redis.ParseURL(address)
	if parsed, readable := url.Parse(address); err == nil && readable == nil && misread(parsed) {
		err = errors.New("the password ends the host")
	}
	if err != nil {
		return nil, fmt.Errorf("ratelimit: the Redis URL %s cannot be used, want redis://USER:PASSWORD@HOST:6379/0%s",
			redacted(address), reason(address, err))
	}
	if err := files.apply(options); err != nil {
		return nil, fmt.Errorf("ratelimit: %w", err)
	}
	options.MaxRetries = -1 // a reservation that is sent again spends a second slot
	options.ContextTimeoutEnabled = true
	options.DialTimeout = timeout
	options.ReadTimeout = timeout
	options.WriteTimeout = timeout
	options.PoolTimeout = timeout
	options.DialerRetries = 1
	options.Dialer = patientDialer(files.dialer(options))
	// Neither handshake is of use here, and each costs a fresh connection time.
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(options), nil
}

// redacted is a URL as it may be shown; one that cannot be read is not shown.
func redacted(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Opaque != "" || misread(parsed) {
		return "(unreadable)"
	}
	// A parameter may hold credentials as well; the host says enough.
	return fmt.Sprintf("%q", (&url.URL{Scheme: parsed.Scheme, Host: parsed.Host, Path: parsed.Path}).String())
}

// misread says whether an @ stands behind the host: then a password had a / or a ? in
// it, and what looks like the host's port and the database is a piece of it each.
func misread(u *url.URL) bool {
	return strings.Contains(u.Path+u.RawQuery+u.Fragment, "@")
}

// reason is why a URL was refused, unless that would show the URL.
func reason(address string, err error) string {
	parsed, unreadable := url.Parse(address)
	if unreadable != nil || misread(parsed) {
		return ": write / ? # @ and % of a password as %2F %3F %23 %40 and %25"
	}
	return ": " + err.Error()
}

// validateClient refuses a client that would break what this package promises.
// A cluster client follows redirects, which go to a server that has not run the
// script; what it may resend after a broken connection spends slots and no more.
func validateClient(rdb redis.UniversalClient) error {
	switch client := rdb.(type) {
	case nil:
		return errors.New("ratelimit: the Redis client is nil, want one made by NewClient")
	case *redis.Client:
		if retries := client.Options().MaxRetries; retries > 0 {
			return fmt.Errorf("ratelimit: MaxRetries of the Redis client is %d, want -1: a reservation must not be sent again", retries)
		}
		if !client.Options().ContextTimeoutEnabled {
			return errors.New("ratelimit: ContextTimeoutEnabled of the Redis client is false, want true: calls must end at their timeout")
		}
	case *redis.ClusterClient:
		if !client.Options().ContextTimeoutEnabled {
			return errors.New("ratelimit: ContextTimeoutEnabled of the Redis client is false, want true: calls must end at their timeout")
		}
	}
	return nil
}

type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// patientDialer dials as the client would by itself, but hands out a connection
// even when the server cannot be reached: one whose use fails with the error of
// the dial. The pool stops dialling after as many failures as it has places and
// then tries once a second; a limiter that fails closed must not wait for that.
func patientDialer(dial dialer) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return unreachable{err: err}, nil //nolint:nilerr // the error comes with the first use
		}
		return conn, nil
	}
}

// unreachable is a connection to a server that did not answer the dial.
type unreachable struct{ err error }

func (u unreachable) Read([]byte) (int, error)         { return 0, u.err }
func (u unreachable) Write([]byte) (int, error)        { return 0, u.err }
func (u unreachable) Close() error                     { return nil }
func (u unreachable) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (u unreachable) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (u unreachable) SetDeadline(time.Time) error      { return nil }
func (u unreachable) SetReadDeadline(time.Time) error  { return nil }
func (u unreachable) SetWriteDeadline(time.Time) error { return nil }
