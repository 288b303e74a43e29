package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// usual are the ports of addresses that people type. The mirror has one too, because a restored
// round resumes with the mirror that it was planned for.
//
//nolint:gochecknoglobals // a constant list
var usual = map[string]int{"mirror": 8450, "api-1": 8440, "gateway-north": 8460, "gateway-south": 8461}

// listen chooses an address for everything that listens. The usual ports are used if they are
// free, and not with -any-ports.
func (f *fleet) listen() (err error) {
	names := []string{"redis", "mirror", "api-1", "api-2", "gateway-north", "gateway-south"}
	for _, node := range nodes {
		names = append(names, node, node+" route", node+" http")
	}
	for _, p := range []string{"producer-1", "producer-2", "worker-1", "worker-2", "worker-3", "worker-4", "gateway-north", "gateway-south"} {
		names = append(names, p+" health")
	}
	var held []net.Listener // so that no port is given twice
	defer func() {
		for _, l := range held {
			err = errors.Join(err, l.Close())
		}
	}()
	for _, name := range names {
		l, err := f.port(name)
		if err != nil {
			return fmt.Errorf("an address for %s: %w", name, err)
		}
		held = append(held, l)
		f.addresses[name] = l.Addr().String()
	}
	return nil
}

// port holds a port for the part of a name. The port lies below those that the system gives to
// connections. A connection could take one of those before its process listens, or while the
// process is restarted.
func (f *fleet) port(name string) (l net.Listener, err error) {
	if port := usual[name]; port != 0 && !f.anyPorts {
		if l, err = hold(port); err == nil {
			return l, nil
		}
	}
	const lowest, highest = 10_000, 32_000
	for range 1000 {
		if l, err = hold(lowest + rand.IntN(highest-lowest)); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("no port between %d and %d is free: %w", lowest, highest, err)
}

func hold(port int) (net.Listener, error) {
	return net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))) //nolint:noctx,wrapcheck // it is closed soon; port wraps
}
