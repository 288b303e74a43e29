package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
	"mirrorfleet/worker/mirrorgate/gateway"
)

const groupGateway = "The gateway"

// defaultAddr is where clients on this machine find it.
const defaultAddr = "127.0.0.1:8460"

func newCommand() *cli.Command {
	return &cli.Command{
		Name:  "mirrorgate",
		Usage: "a gateway to the mirror that keeps its clients under the fleet's limit",
		Description: "It has the mirror's own interface: a client needs no change but the mirror's address. Every request\n" +
			"takes a permit of the egress's bucket in Redis, and makes way for a round's. A client gets its permit or\n" +
			"a 503 within --wait, and never a 429. It needs Redis and the mirror alone.\n" +
			"SIGTERM drains: it takes no more requests, and lets those under way finish within --drain. A second one ends the process.\n\n" +
			"One line of JSON on standard output says where it listens: {\"url\":\"http://127.0.0.1:8460\"}\n\n" +
			"Examples:\n" +
			"  mirrorgate --redis redis://redis:6379/0\n" +
			"  mirrorgate --config fleet.yaml --egress eu-1 --listen :9464",
		Flags:           flags(),
		HideHelpCommand: true,
		Action:          run,
	}
}

func flags() []cli.Flag {
	return slices.Concat(command.Redis(), command.Mirror(), command.Limit(), command.Background(), command.WhoAmI(),
		gatewayFlags(), boundFlags(),
		command.Observability(), command.Listen())
}

// env is the variable of a setting that means something of its own here. The processes of a
// fleet may share one set of variables, so a name as general as timeout says whose it is.
func env(name string) cli.ValueSourceChain { return command.Env("gate-" + name) }

// gatewayFlags are where clients find the gateway, and how long they wait there. --wait is
// below the validator's own time-out, so that its client reads a 503 with Retry-After and does
// not give up by itself.
func gatewayFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name:      "addr",
			Category:  groupGateway,
			Sources:   env("addr"),
			Value:     defaultAddr,
			Validator: address,
			Usage:     "`HOST:PORT` to listen on for clients; port 0 takes a free one. Anybody who reaches it spends the egress's permits",
		},
		&cli.StringFlag{
			Name:        "name",
			Category:    groupGateway,
			Sources:     command.Env("name"),
			Value:       defaultName(),
			DefaultText: "host-pid",
			Usage:       "`NAME` of this process in logs",
		},
		&cli.DurationFlag{
			Name:      "wait",
			Category:  groupGateway,
			Sources:   env("wait"),
			Value:     gateway.DefaultWait,
			Validator: command.Positive,
			Usage:     "how long a client waits for its permit before it gets a 503; less than its own time-out (the validator's is 30s)",
		},
		&cli.IntFlag{
			Name:      "waiting",
			Category:  groupGateway,
			Sources:   env("waiting"),
			Value:     gateway.DefaultWaiting,
			Validator: command.AtLeast(1),
			Usage:     "clients that wait at once; the next one gets a 503 at once",
		},
	}
}

// boundFlags are the bounds of requests and answers. A request's body is held in memory, to be
// sent again; an answer only passes through a buffer. --timeout begins with the permit, because
// the wait for it has a bound of its own, and --patience keeps a client that reads slowly from
// holding one of the few connections.
func boundFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{
			Name:      "pool",
			Category:  groupGateway,
			Sources:   env("pool"),
			Value:     8,
			Validator: command.AtLeast(1),
			Usage:     "connections to the mirror, and requests under way there",
		},
		&cli.DurationFlag{
			Name:      "timeout",
			Category:  groupGateway,
			Sources:   env("timeout"),
			Value:     2 * time.Minute,
			Validator: command.Positive,
			Usage:     "how long an answer may take from its permit to its last byte, the client's reading included",
		},
		&cli.DurationFlag{
			Name:      "patience",
			Category:  groupGateway,
			Sources:   env("patience"),
			Value:     gateway.DefaultPatience,
			Validator: command.Positive,
			Usage:     "how far a client may fall behind in reading 256 KiB a second before its answer breaks off",
		},
		&cli.IntFlag{
			Name:      "max-request",
			Category:  groupGateway,
			Sources:   env("max-request"),
			Value:     gateway.DefaultMaxRequest,
			Validator: command.AtLeast(1),
			Usage:     "bytes of a request's body",
		},
		&cli.IntFlag{
			Name:      "max-answer",
			Category:  groupGateway,
			Sources:   env("max-answer"),
			Value:     gateway.DefaultMaxAnswer,
			Validator: command.AtLeast(1),
			Usage:     "bytes of an answer's body, as it comes from the mirror",
		},
		&cli.DurationFlag{
			Name:      "drain",
			Category:  groupGateway,
			Sources:   env("drain"),
			Value:     30 * time.Second,
			Validator: command.AtLeast(time.Duration(0)),
			Usage:     "how long a drain waits for requests under way before it breaks them off",
		},
	}
}

// address refuses nowhere: a gateway without an address has no use.
func address(s string) error {
	if s == "" {
		return fmt.Errorf("%q: want host:port or :port", s)
	}
	return command.Address(s)
}

// defaultName tells apart the gateways of several hosts and several on one.
func defaultName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "mirrorgate"
	}
	return fmt.Sprintf("%s-%d", host, os.Getpid())
}
