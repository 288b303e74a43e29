package view

import (
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/ratelimit"
)

// Limit is every bucket in Redis, and the egresses that a producer has declared.
type Limit struct {
	// Declared are the fleet's egresses; empty if none are declared or if that is
	// unknown.
	Declared []string `json:"declared,omitempty"`
	Egresses []Egress `json:"egresses"`
	// Bucket is that of the own egress, if it has one.
	Bucket *Bucket `json:"bucket,omitempty"`
}

// Egress is a bucket in one line. All times are seconds.
type Egress struct {
	Egress   string  `json:"egress"`
	Granted  int64   `json:"granted"`
	LastUse  float64 `json:"last_use_ago"`
	Hold     float64 `json:"hold"`
	CoolDown float64 `json:"cool_down"`
	// Undeclared says that somebody has sent under it within a day, and that it is
	// none of the fleet's.
	Undeclared bool `json:"undeclared,omitempty"`
}

// LimitOf converts what was read; own is the egress whose bucket is included in full.
func LimitOf(buckets []ratelimit.State, declared job.Egresses, own string) Limit {
	l := Limit{Declared: declared.Names, Egresses: make([]Egress, 0, len(buckets))}
	for _, s := range buckets {
		l.Egresses = append(l.Egresses, Egress{
			Egress:     s.Egress,
			Granted:    s.Granted,
			LastUse:    s.LastUse().Seconds(),
			Hold:       s.Hold.Seconds(),
			CoolDown:   s.CoolDown.Seconds(),
			Undeclared: s.InUse() && declared.Admit(s.Egress) != nil,
		})
		if s.Egress == own {
			bucket := BucketOf(s)
			l.Bucket = &bucket
		}
	}
	return l
}

// Undeclared lists the egresses that somebody has sent under within a day and that
// are none of the fleet's.
func (l Limit) Undeclared() []string {
	var names []string
	for _, e := range l.Egresses {
		if e.Undeclared {
			names = append(names, e.Egress)
		}
	}
	return names
}
