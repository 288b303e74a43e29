package jobstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/jobstream/kv"
	"mirrorfleet/shared/pause"
)

// ConnectConfig is how a process connects to NATS.
type ConnectConfig struct {
	// Wait is how long Connect waits for a server that cannot be reached. Default: 30 s.
	// Once connected, the client tries for ever to reconnect.
	Wait time.Duration
	// Setting names the flag or variable that sets Wait, for the error.
	Setting string
	// Remind is the time between two log lines about the wait. Default: 10 s.
	Remind time.Duration
	// Retry is the pause between tries. Default: 500 ms.
	Retry time.Duration
	// Log receives waits, disconnects and reconnects. Default: slog.Default().
	Log *slog.Logger
	// Files prove the identities of both sides: TLS and credentials.
	Files Files
	// Options are added to the connection's.
	Options []nats.Option
}

func (c ConnectConfig) withDefaults() ConnectConfig {
	c.Wait = cmp.Or(c.Wait, 30*time.Second)
	c.Setting = cmp.Or(c.Setting, "the wait for NATS")
	c.Remind = cmp.Or(c.Remind, 10*time.Second)
	c.Retry = cmp.Or(c.Retry, 500*time.Millisecond)
	c.Log = cmp.Or(c.Log, slog.Default())
	return c
}

//nolint:staticcheck // the error begins with its fields' names
func (c ConnectConfig) validate() error {
	if c.Wait < 0 || c.Remind < 0 || c.Retry < 0 {
		return fmt.Errorf("Wait %s, Remind %s, Retry %s: want 0 or more", c.Wait, c.Remind, c.Retry)
	}
	return nil
}

// Connect connects to the servers of address (one URL, or several with commas) under a name
// that the server shows. It waits for servers that are away, and logs the wait. After
// cfg.Wait it fails with an error that names the address and the setting.
//
// It fails at once if waiting cannot help: credentials that are refused (Unauthorized), a
// wrong certificate, key or TLS setting (certs.Error), a secret file that others can read
// (secret.ExposedError). Neither errors nor logs contain the address's credentials.
func Connect(ctx context.Context, address, name string, cfg ConnectConfig) (*nats.Conn, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("NATS at %s: %w", Redact(address), err)
	}
	if err := checkAddress(address); err != nil {
		return nil, err
	}
	address, more, err := cfg.Files.apply(address)
	if err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, cfg.Wait)
	defer cancel()
	options := slices.Concat(connectOptions(name, cfg.Log), more, cfg.Options)
	var said time.Time
	for {
		nc, err := nats.Connect(address, options...)
		if err == nil {
			return nc, nil
		}
		if permanent := refusal(address, err); permanent != nil {
			return nil, permanent
		}
		if now := time.Now(); now.Sub(said) >= cfg.Remind {
			said = now
			cfg.Log.WarnContext(ctx, "waiting for NATS", "address", Redact(address), "error", redacted(err, address))
		}
		if pause.For(waiting, cfg.Retry) != nil {
			return nil, gaveUp(ctx, address, cfg, err)
		}
	}
}

// refusal is the error of a connection that no wait can correct; nil for any other.
func refusal(address string, err error) error {
	if errors.Is(err, nats.ErrSecureConnWanted) {
		return fmt.Errorf("NATS at %s: %w", Redact(address), &certs.Error{
			What: "the server has no TLS", Err: err,
			Remedy: "switch it on (deploy/nats/tls.conf), or leave out --nats-ca, --nats-cert and --nats-key",
		})
	}
	if wrong := certs.Explain(err, setting); wrong != nil {
		return fmt.Errorf("NATS at %s: %w", Redact(address), redacted(wrong, address))
	}
	if Unauthorized(err) {
		return fmt.Errorf("NATS at %s refuses the credentials: %w", Redact(address), err)
	}
	return nil
}

// gaveUp says why the wait ended: the caller ended it, or cfg.Wait is over. For the latter
// it names the setting to change.
func gaveUp(ctx context.Context, address string, cfg ConnectConfig, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("connecting to NATS at %s: %w", Redact(address), context.Cause(ctx))
	}
	return fmt.Errorf("NATS at %s is not reachable after %s (%s): %w: is a server with JetStream running there?",
		Redact(address), cfg.Wait, cfg.Setting, redacted(err, address))
}

// connectOptions are those of every connection of the product.
func connectOptions(name string, log *slog.Logger) []nats.Option {
	where := func(nc *nats.Conn) string { return Redact(nc.ConnectedUrl()) }
	return []nats.Option{
		nats.Name(name), // what `nats server report connections` shows
		// A fleet outlives every restart of its server.
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(), // a server that is being reconfigured may refuse us for a while
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(250*time.Millisecond, time.Second),
		// Nothing is buffered: an ack, nak or heartbeat that is sent after a
		// reconnect could hit another worker's lease.
		nats.ReconnectBufSize(-1),
		// A silent connection is given up after 20 s instead of minutes: in
		// less than the default lease.
		nats.PingInterval(10 * time.Second),
		nats.MaxPingsOutstanding(1),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // nil: closed by us
				log.Warn("NATS connection lost, reconnecting", "error", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			log.Info("NATS reconnected", "address", where(nc))
			if err := kv.CheckPayload(nc); err != nil {
				log.Error("the server cannot be worked with", "address", where(nc), "error", err)
			}
		}),
		nats.ErrorHandler(func(nc *nats.Conn, _ *nats.Subscription, err error) {
			if isRefusal(err, serversQuestion) {
				return // who asks hears of it: Servers
			}
			log.Warn("NATS reports an error", "address", where(nc), "error", err)
		}),
	}
}

// checkAddress refuses an address that can never work, so that nobody waits for a typing
// error.
func checkAddress(address string) error {
	if address == "" {
		return errors.New("NATS address is empty, want nats://host:port")
	}
	secrets := strings.Contains(address, "@")
	for i, one := range strings.Split(address, ",") {
		one = strings.TrimSpace(one)
		if !strings.Contains(one, "://") {
			if i > 0 && strings.Contains(one, "@") { // the client would resolve a piece of a password as a host name
				return fmt.Errorf("NATS address %q: a comma stands before another server, which begins with nats://; "+
					"in a user or a password write it as %%2C", Redact(address))
			}
			one = "nats://" + one
		}
		u, err := url.Parse(one)
		if err != nil || u.Hostname() == "" {
			shown := Redact(one)
			if secrets && shown == one { // it may be the beginning of a URL with a secret
				shown = Redact(address)
			}
			return fmt.Errorf("NATS address %q: want nats://host:port", shown)
		}
		switch u.Scheme {
		case "nats", "tls", "ws", "wss":
		default:
			return fmt.Errorf("NATS address %q: scheme %s, want nats, tls, ws or wss", Redact(one), u.Scheme)
		}
	}
	return nil
}

// nextServer matches a comma before another server's URL. Any other comma may belong to a
// password that was not written with %2C.
var nextServer = regexp.MustCompile(`,(\s*(?:nats|tls|wss?)://)`)

// Redact hides user names, passwords and tokens in a list of addresses. Everything between
// the beginning of a server and an @ may be a secret.
func Redact(address string) string {
	parts := strings.Split(nextServer.ReplaceAllString(address, "\x00$1"), "\x00")
	for i, part := range parts {
		scheme, rest, found := strings.Cut(part, "://")
		if !found {
			scheme, rest = "", part
		}
		if at := strings.LastIndex(rest, "@"); at >= 0 {
			rest = "***@" + rest[at+1:]
		}
		if found {
			rest = scheme + "://" + rest
		}
		parts[i] = rest
	}
	return strings.Join(parts, ",")
}

// redactedError keeps an error's identity and hides the address's credentials in its text.
type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.err }

// redacted takes the credentials of address out of err's text. The client library and
// net/url quote addresses unchanged.
func redacted(err error, address string) error {
	text := err.Error()
	for one := range strings.SplitSeq(address, ",") {
		one = strings.TrimSpace(one)
		text = strings.ReplaceAll(text, one, Redact(one))
		if u, parseErr := url.Parse(one); parseErr == nil && u.User != nil {
			text = strings.ReplaceAll(text, u.User.String(), "***")
			if secret, has := u.User.Password(); has && secret != "" {
				text = strings.ReplaceAll(text, secret, "***")
			}
		}
	}
	return &redactedError{text: text, err: err}
}
