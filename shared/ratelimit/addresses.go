package ratelimit

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/bounded"
	"mirrorfleet/shared/whoami"
)

var (
	//go:embed tell.lua
	tellSource string
	//go:embed addresses.lua
	addressesSource string
)

// How often a process tells its addresses, and how long they are remembered after that, so that
// it may fail twice. A process that was killed and came back at another address is shown with
// both for that time.
const (
	TellEvery = 5 * time.Minute
	told      = 3 * TellEvery
)

// addressesSuffix names the record of an egress's addresses, beside its bucket.
const addressesSuffix = ":addresses"

// Bounds of what is read: anybody with access to Redis may have written it.
const (
	// maxTold is of one egress's record, in bytes: about a thousand processes with long names.
	// Redis decodes the record whenever a process tells, and serves nobody meanwhile.
	maxTold        = 256_000
	maxProcessName = 200 // characters
	maxProcesses   = 500
	maxAddresses   = 4
)

// Tell notes in Redis which addresses this process of the egress sends from, under its name.
// Without an address, it removes the process. It is for show: no permit depends on it.
func (l *Limiter) Tell(ctx context.Context, process string, addresses []netip.Addr) error {
	texts := make([]string, 0, len(addresses))
	for _, a := range addresses {
		texts = append(texts, a.String())
	}
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	err := redis.NewScript(tellSource).Run(ctx, l.record.rdb, []string{key(l.cfg.Egress) + addressesSuffix},
		bounded.Line(process, maxProcessName), strings.Join(texts, " "), int64(told.Seconds()), maxTold).Err()
	if err != nil {
		return fmt.Errorf("ratelimit: telling the addresses of egress %s: %w", l.cfg.Egress, err)
	}
	return nil
}

// addresses reads the processes of the egress that have told theirs, by name. A record that is
// damaged or too long counts as none: the next process that tells replaces it.
func (r record) addresses(ctx context.Context) ([]whoami.Process, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	got, err := redis.NewScript(addressesSource).Run(ctx, r.rdb, []string{key(r.egress) + addressesSuffix}, maxTold).Slice()
	if err != nil {
		return nil, fmt.Errorf("ratelimit: addresses of egress %s: %w", r.egress, err)
	}
	if len(got) != 2 {
		return nil, fmt.Errorf("ratelimit: addresses of egress %s: %w: %d values, want 2", r.egress, errReply, len(got))
	}
	clock, err := parseTime(got[0])
	if err != nil {
		return nil, fmt.Errorf("ratelimit: addresses of egress %s: %w", r.egress, err)
	}
	return processesOf(r.egress, fmt.Sprint(got[1]), micros(clock)), nil
}

// Unread is why the addresses of an egress with one of these buckets could not be read; nil if
// all were.
func Unread(buckets []State) error {
	for i := range buckets {
		if buckets[i].Unread != nil {
			return buckets[i].Unread
		}
	}
	return nil
}

// Compare compares the addresses of the egresses with these buckets.
func Compare(buckets []State) whoami.Comparison {
	var all []whoami.Process
	for i := range buckets {
		all = append(all, buckets[i].Processes...)
	}
	return whoami.Compare(all)
}

// processesOf reads the record that tell.lua keeps, at an instant of Redis' clock.
func processesOf(egress, text string, now time.Duration) []whoami.Process {
	var kept map[string]struct {
		At   float64 `json:"at"`
		From string  `json:"from"`
	}
	if json.Unmarshal([]byte(text), &kept) != nil {
		return nil
	}
	var all []whoami.Process
	for _, name := range slices.Sorted(maps.Keys(kept)) {
		p := whoami.Process{Egress: egress, Name: bounded.Line(name, maxProcessName)}
		for word := range strings.FieldsSeq(kept[name].From) {
			if a, err := whoami.Parse(word); err == nil && len(p.Addresses) < maxAddresses {
				p.Addresses = append(p.Addresses, a)
			}
		}
		age := now.Seconds() - kept[name].At
		if len(p.Addresses) > 0 && max(age, -age) < told.Seconds() && len(all) < maxProcesses {
			all = append(all, p)
		}
	}
	return all
}
