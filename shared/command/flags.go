package command

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/urfave/cli/v3"
)

// envPrefix begins the name of every environment variable of the product.
const envPrefix = "MIRRORFLEET_"

// Env is the environment variable of a flag: its name in capitals after the prefix. A
// flag with a variable can also be set in the configuration file.
func Env(flag string) cli.ValueSourceChain { return cli.EnvVars(variable(flag)) }

func variable(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Variable is a setting for the environment of a child process, as NAME=value. Settings
// that may hold a secret are passed this way: every user of the machine can see the
// arguments of a process.
func Variable(flag, value string) string { return variable(flag) + "=" + value }

// Groups of flags in --help.
const (
	GroupServers       = "Servers"
	GroupLimit         = "The limit"
	GroupObservability = "Observability"
)

// shortestLease leaves time for a heartbeat and its answer: six heartbeats are sent in a
// lease (job.SignsPerLease).
const shortestLease = time.Second

// Servers are the flags of the addresses and credentials of NATS and Redis. The
// addresses have no default, so that a command can tell that none was given and start
// servers of its own.
func Servers() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{
			Name:     "nats",
			Category: GroupServers,
			Sources:  Env("nats"),
			Usage:    "`URL` of NATS with JetStream, such as nats://localhost:4222; with a password only as a variable or in --config",
		},
		redisURL("for a password see --nats"),
		connectTimeout(),
	}, append(natsFiles(), redisFiles()...)...)
}

// Redis are those of Servers for a process that has no NATS.
func Redis() []cli.Flag {
	return append([]cli.Flag{redisURL("with a password only as a variable or in --config"), connectTimeout()}, redisFiles()...)
}

func redisURL(password string) cli.Flag {
	return &cli.StringFlag{
		Name:     "redis",
		Category: GroupServers,
		Sources:  Env("redis"),
		Usage:    "`URL` of Redis, such as redis://localhost:6379/0 (rediss:// for TLS); " + password,
	}
}

func connectTimeout() cli.Flag {
	return &cli.DurationFlag{
		Name:      "connect-timeout",
		Category:  GroupServers,
		Sources:   Env("connect-timeout"),
		Value:     30 * time.Second,
		Usage:     "how long to wait at start for an unreachable server",
		Validator: Positive,
	}
}

// Streams are the flags of commands that declare the streams. 0 keeps the setting of an
// existing stream, so a command without the flag does not undo that of another.
func Streams() []cli.Flag {
	return []cli.Flag{
		Offers(&cli.IntFlag{
			Name:     "replicas",
			Category: GroupServers,
			Sources:  Env("replicas"),
			Usage:    "copies of each stream and bucket: 1, 3 or 5; 0 keeps the present number (1 for new ones)",
			Validator: func(n int) error {
				if n == 0 || n == 1 || n == 3 || n == 5 {
					return nil
				}
				return fmt.Errorf("%d replicas: want 1, 3 or 5, or 0 to keep the present number", n)
			},
		}, "0", "1", "3", "5"),
		&cli.DurationFlag{
			Name:     "lease",
			Category: GroupServers,
			Sources:  Env("lease"),
			Usage: "how long a job waits for a heartbeat of its worker before another worker gets it; " +
				"0 keeps the present lease (30s for a new one)",
			Validator: func(d time.Duration) error {
				if d == 0 || d >= shortestLease {
					return nil
				}
				return fmt.Errorf("%s: want at least %s, or 0 to keep the present lease", d, shortestLease)
			},
		},
	}
}

// Limit are the flags that describe the mirror's limit for one public IP. The defaults
// are the public mirror's: 50 requests in 10 s.
func Limit() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name:     "egress",
			Category: GroupLimit,
			Sources:  Env("egress"),
			Value:    "default",
			Usage:    "`NAME` of the public IP that this process sends from; processes of one name share one bucket",
			Validator: func(name string) error {
				if name == "" { // it would be taken for the default, another bucket than that of the address
					return errors.New("an egress has no name: give that of the address that this process sends from, such as eu-1, or leave it out")
				}
				return nil
			},
		},
		&cli.IntFlag{
			Name:      "limit-requests",
			Category:  GroupLimit,
			Sources:   Env("limit-requests"),
			Value:     50,
			Usage:     "requests that the mirror allows this egress in one window; lower where others send from the same IP",
			Validator: AtLeast(1),
		},
		&cli.DurationFlag{
			Name:      "limit-window",
			Category:  GroupLimit,
			Sources:   Env("limit-window"),
			Value:     10 * time.Second,
			Usage:     "length of the mirror's window",
			Validator: Positive,
		},
		&cli.FloatFlag{
			Name:     "limit-rate",
			Category: GroupLimit,
			Sources:  Env("limit-rate"),
			Usage:    "permits a second for this egress; 0 for the maximum that the formula of docs/limit.md allows",
		},
		&cli.DurationFlag{
			Name:      "limit-horizon",
			Category:  GroupLimit,
			Sources:   Env("limit-horizon"),
			Value:     10 * time.Second,
			Usage:     "how far ahead permits are reserved, and how long the fleet waits after a loss of the bucket's state",
			Validator: Positive,
		},
	}
}

// WhoAmI is the flag of processes that send to the mirror.
func WhoAmI() []cli.Flag {
	return []cli.Flag{&cli.StringFlag{
		Name:     "whoami-url",
		Category: GroupLimit,
		Sources:  Env("whoami-url"),
		Usage: "`URL` of a service that answers with the caller's public address as plain text; " +
			"shows from which address each egress sends; empty for none",
	}}
}

// Background has the flags of what makes way for the round.
func Background() []cli.Flag {
	return []cli.Flag{&cli.IntFlag{
		Name:     "limit-background",
		Category: GroupLimit,
		Sources:  Env("limit-background"),
		Value:    4,
		Usage:    "while a round waits, one permit in `N` is for gateway and warm-up",
		Validator: func(n int) error {
			if n < 1 || n > 1000 {
				return fmt.Errorf("%d: want 1 to 1000", n)
			}
			return nil
		},
	}}
}

// Observability has the flags of logs.
func Observability() []cli.Flag {
	return []cli.Flag{
		Offers(&cli.StringFlag{
			Name:     "log-level",
			Category: GroupObservability,
			Sources:  Env("log-level"),
			Value:    "info",
			Usage:    "lowest `LEVEL` that is logged: debug, info, warn or error",
			Validator: func(s string) error {
				if new(slog.Level).UnmarshalText([]byte(s)) != nil {
					return fmt.Errorf("%q: want debug, info, warn or error", s)
				}
				return nil
			},
		}, "debug", "info", "warn", "error"),
	}
}

// Listen is the flag of processes that serve metrics and health pages.
func Listen() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name:      "listen",
			Category:  GroupObservability,
			Sources:   Env("listen"),
			Usage:     "`ADDRESS` of /metrics, /healthz and /readyz, such as :9464; empty for none",
			Validator: Address,
		},
	}
}

// Address validates an address to listen on; "" means not to listen.
func Address(s string) error {
	if s == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(s); err != nil {
		return fmt.Errorf("%q: want host:port or :port", s)
	}
	return nil
}

// AtLeast refuses values below a minimum.
func AtLeast[T int | time.Duration](minimum T) func(T) error {
	return func(value T) error {
		switch {
		case value >= minimum:
			return nil
		case minimum == 0:
			return fmt.Errorf("%v: want 0 or more", value)
		}
		return fmt.Errorf("%v: want at least %v", value, minimum)
	}
}

// Positive refuses durations of 0 or less.
func Positive(d time.Duration) error {
	if d > 0 {
		return nil
	}
	return fmt.Errorf("%s: want more than 0", d)
}

// DefaultMirror is the public mirror.
const DefaultMirror = "https://mirror.gittensor.io"

// Mirror has the flags of the mirror's address, and of the way there.
func Mirror() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name:     "mirror",
			Category: GroupServers,
			Sources:  Env("mirror"),
			Value:    DefaultMirror,
			Usage:    "base `URL` of the mirror",
		},
		&cli.StringFlag{
			Name:      "source-address",
			Category:  GroupServers,
			Sources:   Env("source-address"),
			Validator: source,
			Usage: "IP `ADDRESS` of this machine from which requests to the mirror leave, where it has several, each an egress; " +
				"without it, the system chooses",
		},
	}
}

// source refuses an address that this machine does not have, because every request would fail.
func source(s string) error {
	if s == "" {
		return nil
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return fmt.Errorf("%q: want an IP address of this machine, such as 203.0.113.7", s)
	}
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
	if err != nil {
		return fmt.Errorf("%s: not an address of this machine (%w): `ip address` lists those that it has", s, err)
	}
	return l.Close() //nolint:wrapcheck // it never fails on a listener that nobody has used
}
