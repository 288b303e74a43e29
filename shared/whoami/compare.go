package whoami

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Process is a process of the fleet with the addresses that it sends from.
type Process struct {
	Egress    string
	Name      string
	Addresses []netip.Addr
}

// Comparison lists the names and addresses that do not fit together.
type Comparison struct {
	// Shared are addresses from which processes of several egresses send. Each egress has a
	// bucket of its own, so that together they may exceed the limit of the address.
	Shared []Shared
	// Split are egresses with processes that have no address in common, by name. One bucket then
	// meters several addresses: the limit holds, but a part of it stays unused.
	Split []string
}

// Shared is an address with the names of its egresses.
type Shared struct {
	// Address is a prefix: one address of IPv4, or a network of 64 bits of IPv6.
	Address  netip.Prefix
	Egresses []string
}

// String names the address and its egresses.
func (s Shared) String() string { return s.Text() + " (" + strings.Join(s.Egresses, ", ") + ")" }

// Text is the address, or for IPv6 its network.
func (s Shared) Text() string {
	if s.Address.IsSingleIP() {
		return s.Address.Addr().String()
	}
	return s.Address.String()
}

// Compare compares names and addresses.
//
// A machine often has an address of each family. Two names share an address if they have any
// address in common, because the mirror may see that one. Two processes of one name differ only
// if both have an address of the same family and they share none of any family: machines behind
// one IPv4 address each have their own IPv6 address.
func Compare(processes []Process) (c Comparison) {
	names := map[netip.Prefix]map[string]bool{}
	byEgress := map[string][]Process{}
	for _, p := range processes {
		byEgress[p.Egress] = append(byEgress[p.Egress], p)
		for _, a := range p.Addresses {
			counted := Counted(a)
			if names[counted] == nil {
				names[counted] = map[string]bool{}
			}
			names[counted][p.Egress] = true
		}
	}
	for _, address := range slices.SortedFunc(maps.Keys(names), netip.Prefix.Compare) {
		if len(names[address]) > 1 {
			c.Shared = append(c.Shared, Shared{address, slices.Sorted(maps.Keys(names[address]))})
		}
	}
	for _, egress := range slices.Sorted(maps.Keys(byEgress)) {
		if split(byEgress[egress]) {
			c.Split = append(c.Split, egress)
		}
	}
	return c
}

// Counted is the prefix that the mirror counts as one address. Cloudflare, in front of it,
// counts a network of 64 bits of IPv6 as one, because a single machine may use all of it.
func Counted(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // it fails for a wrong number of bits only
	return p
}

// split says whether any two processes of an egress differ.
func split(processes []Process) bool {
	for i, p := range processes {
		for _, q := range processes[:i] {
			if differ(p.Addresses, q.Addresses) {
				return true
			}
		}
	}
	return false
}

func differ(p, q []netip.Addr) bool {
	family := false
	for _, a := range p {
		for _, b := range q {
			if Counted(a) == Counted(b) {
				return false
			}
			family = family || a.Is4() == b.Is4()
		}
	}
	return family
}
