package view

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/whoami"
)

// Egresses are the egresses that a producer has declared, and every bucket in Redis.
type Egresses struct {
	// Declared are the fleet's egresses; empty if none are declared or if that is
	// unknown.
	Declared []string `json:"declared,omitempty"`
	Egresses []Egress `json:"egresses"`
	// Shared are addresses from which several egresses send: together they may exceed its limit.
	Shared []SharedAddress `json:"shared,omitempty"`
}

// SharedAddress is a public address, or a network of IPv6 that counts as one, with the names
// of the egresses that send from it.
type SharedAddress struct {
	Address  string   `json:"address"`
	Egresses []string `json:"egresses"`
}

// EgressAddress is a public address of an egress, with the processes that send from it.
type EgressAddress struct {
	Address   string   `json:"address"`
	Processes []string `json:"processes"`
}

// Egress is a bucket in one line. All times are seconds.
type Egress struct {
	Egress string `json:"egress"`
	// Bucket says that there is one. A declared egress of which nobody has asked for a
	// permit yet has none, and the figures below are 0.
	Bucket  bool  `json:"bucket"`
	Granted int64 `json:"granted"`
	// Background are those of Granted that went to the background.
	Background int64   `json:"granted_background"`
	LastUse    float64 `json:"last_use_ago"`
	// LastMinute counts the permits of the last full ShareOf seconds, a minute or less in
	// a young bucket, and Share is the part of the mirror's limit that they took.
	LastMinute int64 `json:"granted_last"`
	// LastMinuteBackground are those of LastMinute that went to the background: the rest is
	// the round's.
	LastMinuteBackground int64   `json:"granted_last_background"`
	ShareOf              float64 `json:"share_of"`
	Share                float64 `json:"share_of_limit"`
	CoolDown             float64 `json:"cool_down"`
	Hold                 float64 `json:"hold"`
	HeldBy               string  `json:"held_by,omitempty"`
	HeldWhy              string  `json:"held_why,omitempty"`
	// Undeclared says that somebody has sent under it within a day, and that it is
	// none of the fleet's.
	Undeclared bool `json:"undeclared,omitempty"`
	// Addresses are those that its processes have reported (--whoami-url).
	Addresses []EgressAddress `json:"addresses,omitempty"`
	// Split says that some of its processes have no address in common: they waste a part of
	// the limit.
	Split bool `json:"split,omitempty"`
}

// EgressesOf lists the buckets that were read, and the declared egresses without one, by
// name.
func EgressesOf(buckets []ratelimit.State, declared job.Egresses) Egresses {
	l := Egresses{Declared: declared.Names, Egresses: make([]Egress, 0, len(buckets))}
	for i := range buckets {
		l.Egresses = append(l.Egresses, egressOf(&buckets[i], declared))
	}
	for _, name := range declared.Names {
		if !slices.ContainsFunc(l.Egresses, func(e Egress) bool { return e.Egress == name }) {
			l.Egresses = append(l.Egresses, Egress{Egress: name})
		}
	}
	odd := ratelimit.Compare(buckets)
	for _, s := range odd.Shared {
		l.Shared = append(l.Shared, SharedAddress{s.Text(), s.Egresses})
	}
	for i := range l.Egresses {
		l.Egresses[i].Split = slices.Contains(odd.Split, l.Egresses[i].Egress)
	}
	slices.SortFunc(l.Egresses, func(a, b Egress) int { return cmp.Compare(a.Egress, b.Egress) })
	return l
}

// addressesOf lists each address with its processes, by address.
func addressesOf(processes []whoami.Process) (list []EgressAddress) {
	names := map[netip.Addr][]string{}
	for _, p := range processes {
		for _, a := range p.Addresses {
			names[a] = append(names[a], p.Name)
		}
	}
	for _, a := range slices.SortedFunc(maps.Keys(names), netip.Addr.Compare) {
		list = append(list, EgressAddress{a.String(), names[a]})
	}
	return list
}

func egressOf(s *ratelimit.State, declared job.Egresses) Egress {
	b := BucketOf(*s)
	return Egress{
		Egress:     s.Egress,
		Bucket:     true,
		Granted:    s.Granted,
		Background: s.Background,
		LastUse:    s.LastUse().Seconds(),
		LastMinute: b.LastMinute,
		ShareOf:    b.ShareOf,
		Share:      b.Share,
		CoolDown:   b.CoolDown,
		Hold:       b.Hold,
		HeldBy:     b.HeldBy,
		HeldWhy:    b.HeldWhy,
		Undeclared: s.InUse() && declared.Admit(s.Egress) != nil,
		Addresses:  addressesOf(s.Processes),

		LastMinuteBackground: b.LastMinuteBackground,
	}
}

// Undeclared lists the egresses that somebody has sent under within a day and that
// are none of the fleet's.
func (l Egresses) Undeclared() []string {
	var names []string
	for _, e := range l.Egresses {
		if e.Undeclared {
			names = append(names, e.Egress)
		}
	}
	return names
}
