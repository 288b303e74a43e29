package local

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"time"
)

// Config is where the servers live.
type Config struct {
	// Dir is the state directory; it is made if it does not exist. Required.
	Dir string
	// NATS and Redis are the addresses to listen on, host:port with a loopback
	// host. Default: 127.0.0.1 with a free port.
	NATS, Redis string
	// Password is what both want of their clients; it stands in both URLs. Default: a
	// new one of 130 random bits, so that it ends with the servers.
	Password string
	// StartTimeout is how long NATS may take to read its directory. Default:
	// 30 s.
	StartTimeout time.Duration
	// Log hears of the servers' warnings and errors. Default: slog.Default().
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.NATS = cmp.Or(c.NATS, "127.0.0.1:0")
	c.Redis = cmp.Or(c.Redis, "127.0.0.1:0")
	c.Password = cmp.Or(c.Password, rand.Text())
	c.StartTimeout = cmp.Or(c.StartTimeout, 30*time.Second)
	c.Log = cmp.Or(c.Log, slog.Default())
	return c
}

//nolint:staticcheck // each error begins with its field's name
func (c Config) validate() error {
	switch {
	case c.Dir == "":
		return errors.New("Dir is empty, want a directory to keep state in")
	case len(c.Password) < minPassword:
		return fmt.Errorf("Password has %d characters, want %d or more", len(c.Password), minPassword)
	case c.StartTimeout < 0:
		return fmt.Errorf("StartTimeout is %s, want more than 0", c.StartTimeout)
	}
	if err := checkLoopback("NATS", c.NATS); err != nil {
		return err
	}
	return checkLoopback("Redis", c.Redis)
}

// user is the one user of both servers. Every process of a local round is the same user
// of the machine. A user who may read one password there may read all of them, so a second
// user with fewer rights would protect nothing.
const user = "local"

// minPassword is more than anybody guesses over loopback.
const minPassword = 16

// checkLoopback keeps servers without encryption off the network.
func checkLoopback(field, address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%s is %q, want host:port: %w", field, address, err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("%s is %q, want a loopback address such as 127.0.0.1:0", field, address)
	}
	return nil
}

// Servers are the running servers.
type Servers struct {
	lock  *dirLock
	nats  *natsServer
	redis *redisServer
	told  string // the file that tells the addresses
	once  sync.Once
	err   error
}

// Start takes the directory and starts both servers; they run until Close.
// ctx ends the start, not the servers.
func Start(ctx context.Context, cfg Config) (_ *Servers, err error) {
	cfg = cfg.withDefaults()
	if err = cfg.validate(); err != nil {
		return nil, fmt.Errorf("local: %w", err)
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("local: %w", context.Cause(ctx))
	}
	s := &Servers{} // what has started by the time of an error is closed again
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("local: %w", err), s.Close())
		}
	}()
	if s.lock, err = lockDir(cfg.Dir); err != nil {
		return nil, err
	}
	if s.redis, err = startRedis(ctx, cfg.Redis, cfg.Password); err != nil {
		return nil, err
	}
	if s.nats, err = startNATS(ctx, cfg, filepath.Join(cfg.Dir, "nats")); err != nil {
		return nil, err
	}
	return s, s.tell(cfg.Dir)
}

// NATSURL is where NATS listens, with the password: nats://local:PASSWORD@127.0.0.1:port.
func (s *Servers) NATSURL() string { return withPassword("nats", s.nats.cfg.NATS, s.nats.cfg.Password) }

// RedisURL is where Redis listens, with the password: redis://local:PASSWORD@127.0.0.1:port.
func (s *Servers) RedisURL() string {
	return withPassword("redis", s.redis.server.Addr(), s.nats.cfg.Password)
}

func withPassword(scheme, address, password string) string {
	u := url.URL{Scheme: scheme, User: url.UserPassword(user, password), Host: address}
	return u.String()
}

// Lost tells why NATS is gone for good, if it is: what waits for it waits in
// vain. One value comes at most.
func (s *Servers) Lost() <-chan error { return s.nats.lost }

// Close stops both servers, waits for them, and gives the directory free. It
// may be called more than once.
func (s *Servers) Close() error {
	s.once.Do(func() {
		told := s.untell()
		if s.nats != nil {
			s.nats.close()
		}
		if s.redis != nil {
			s.redis.close()
		}
		if s.lock != nil {
			s.err = s.lock.release()
		}
		s.err = errors.Join(told, s.err)
	})
	return s.err
}
