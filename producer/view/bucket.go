package view

import "mirrorfleet/shared/ratelimit"

// CoolDownRisk is what ending a cool-down before its time risks. Whoever orders it is told
// before.
const CoolDownRisk = "If it is asked before, it may answer 429 again, ask for a longer pause, " +
	"or block the address for everybody behind it. The limit itself is kept. Wait, unless the mirror's operators say that the pause is over"

// Bucket is an egress's bucket. All times are seconds.
type Bucket struct {
	Egress string `json:"egress"`

	Rate     float64 `json:"rate"` // permits a second
	Interval float64 `json:"interval"`
	Limit    int     `json:"limit_requests"`
	Window   float64 `json:"limit_window"`
	Horizon  float64 `json:"limit_horizon"`

	NextSlotIn float64 `json:"next_slot_in"`
	Hold       float64 `json:"hold"`
	// HeldBy is who holds the egress, and HeldWhy the reason; "" for unknown.
	HeldBy    string  `json:"held_by,omitempty"`
	HeldWhy   string  `json:"held_why,omitempty"`
	CoolDown  float64 `json:"cool_down"`
	CoolDowns int64   `json:"cool_downs"`

	Granted   int64   `json:"granted"`
	Refused   int64   `json:"refused"`
	LastSlot  float64 `json:"last_slot_ago"` // negative for a slot that is reserved and lies ahead
	Restarts  int64   `json:"restarts"`
	StartedAt float64 `json:"started_ago"`
	RunID     string  `json:"redis_run_id"`

	// Background and LastBackground are those of the background class, included in the
	// totals above; LastBackground is 0 if there was none.
	Background     int64   `json:"granted_background"`
	LastBackground float64 `json:"last_background_slot_ago"`

	// Use counts the permits of each ten seconds; the last cell is still being counted.
	// Share is the part of the mirror's limit that was used in the last ShareOf seconds: a
	// full minute, or less if the bucket is younger.
	Use     []int64 `json:"use_of_10s"`
	Share   float64 `json:"share_of_limit"`
	ShareOf float64 `json:"share_of"`
	// LastMinute counts the permits of those ShareOf seconds. UseBackground and
	// LastMinuteBackground are the background's, which the sums include: the rest is the
	// round's.
	LastMinute           int64   `json:"granted_last"`
	LastMinuteBackground int64   `json:"granted_last_background"`
	UseBackground        []int64 `json:"background_use_of_10s"`

	// Undeclared are the other egresses that were used within a day and are not
	// declared; empty when the declaration is unknown.
	Undeclared []string `json:"undeclared,omitempty"`
}

// BucketOf converts a bucket as it was read.
func BucketOf(s ratelimit.State) Bucket {
	p := Bucket{
		Egress:         s.Egress,
		Rate:           s.Rate,
		Interval:       s.Interval.Seconds(),
		Limit:          s.Limit,
		Window:         s.Window.Seconds(),
		Horizon:        s.Horizon.Seconds(),
		NextSlotIn:     s.NextIn.Seconds(),
		Hold:           s.Hold.Seconds(),
		HeldBy:         s.Note.By,
		HeldWhy:        s.Note.Why,
		CoolDown:       s.CoolDown.Seconds(),
		CoolDowns:      s.CoolDowns,
		Granted:        s.Granted,
		Refused:        s.Refused,
		LastSlot:       s.LastGrant.Seconds(),
		Restarts:       s.Restarts,
		StartedAt:      s.Age.Seconds(),
		RunID:          s.RunID,
		Use:            s.Use,
		Background:     s.Background,
		LastBackground: s.LastBackground.Seconds(),
		UseBackground:  s.UseBackground,
	}
	p.Share, p.ShareOf = p.share()
	p.LastMinute = p.used(p.Use)
	p.LastMinuteBackground = p.used(p.UseBackground)
	return p
}

// share counts only cells that are full and that the bucket has existed for from beginning
// to end. Anything else would show too small a share. Both results are 0 if there is none.
func (p Bucket) share() (share, of float64) {
	cells := min(UseRow, len(p.Use)-1, int(p.StartedAt/useCell)-1)
	if cells < 1 || p.Limit < 1 {
		return 0, 0
	}
	p.ShareOf = float64(cells * useCell)
	return float64(p.used(p.Use)) / (float64(p.Limit) / p.Window * p.ShareOf), p.ShareOf
}

// used counts the permits of the last full ShareOf seconds in a row of cells, Use or
// UseBackground.
func (p Bucket) used(cells []int64) (used int64) {
	over := len(cells) - 1
	if over < 0 {
		return 0
	}
	for _, n := range cells[over-int(p.ShareOf/useCell) : over] {
		used += n
	}
	return used
}

// Flows says that permits are granted just now: a process that waits for one asks at least
// once in every horizon.
func (p Bucket) Flows() bool { return p.Granted > 0 && p.LastSlot < p.Horizon }

// UseRow is how many cells of a bucket's use make a minute.
const UseRow = 60 / useCell

// useCell is the length of a cell in seconds, as the limiter counts them in Redis.
const useCell = 10
