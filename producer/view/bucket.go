package view

import "mirrorfleet/shared/ratelimit"

// Bucket is an egress's bucket. Lengths are seconds.
type Bucket struct {
	Egress string `json:"egress"`

	Rate     float64 `json:"rate"` // permits a second
	Interval float64 `json:"interval"`
	Limit    int     `json:"limit_requests"`
	Window   float64 `json:"limit_window"`
	Horizon  float64 `json:"limit_horizon"`

	NextSlotIn float64 `json:"next_slot_in"`
	Hold       float64 `json:"hold"`
	CoolDown   float64 `json:"cool_down"`
	CoolDowns  int64   `json:"cool_downs"`

	Granted   int64   `json:"granted"`
	Refused   int64   `json:"refused"`
	LastSlot  float64 `json:"last_slot_ago"` // negative: it lies ahead
	Restarts  int64   `json:"restarts"`
	StartedAt float64 `json:"started_ago"`
	RunID     string  `json:"redis_run_id"`

	// Of the permits those of the background; LastBackground is 0 while there is none.
	Background     int64   `json:"granted_background"`
	LastBackground float64 `json:"last_background_slot_ago"`

	// Use is the permits of each ten seconds, the running one last. Share is the
	// part of the limit that was used in ShareOf: the last full minute, or less
	// of it when the bucket is younger.
	Use     []int64 `json:"use_of_10s"`
	Share   float64 `json:"share_of_limit"`
	ShareOf float64 `json:"share_of"`

	// Undeclared are the other egresses that were used within a day and are not
	// declared; empty when the declaration is unknown.
	Undeclared []string `json:"undeclared,omitempty"`
}

// BucketOf is a bucket as it was read.
func BucketOf(s ratelimit.State) Bucket {
	p := Bucket{
		Egress: s.Egress, Rate: s.Rate, Interval: s.Interval.Seconds(), Limit: s.Limit, Window: s.Window.Seconds(),
		Horizon: s.Horizon.Seconds(), NextSlotIn: s.NextIn.Seconds(), Hold: s.Hold.Seconds(), CoolDown: s.CoolDown.Seconds(),
		CoolDowns: s.CoolDowns, Granted: s.Granted, Refused: s.Refused, LastSlot: s.LastGrant.Seconds(),
		Restarts: s.Restarts, StartedAt: s.Age.Seconds(), RunID: s.RunID, Use: s.Use,
		Background: s.Background, LastBackground: s.LastBackground.Seconds(),
	}
	p.Share, p.ShareOf = p.share()
	return p
}

// share looks at the cells that are over and that the bucket has lived through.
func (p Bucket) share() (share, of float64) {
	over := len(p.Use) - 1
	cells := min(UseRow, over, int(p.StartedAt/useCell)-1)
	if cells < 1 || p.Limit < 1 {
		return 0, 0
	}
	var used int64
	for _, n := range p.Use[over-cells : over] {
		used += n
	}
	of = float64(cells * useCell)
	return float64(used) / (float64(p.Limit) / p.Window * of), of
}

// UseRow is how many cells of a bucket's use are a minute; a cell is ten
// seconds.
const UseRow = 60 / useCell

const useCell = 10
