package job

// Phase is the state of a job.
type Phase string

// The phases of a job.
const (
	Planned Phase = "planned"
	Running Phase = "running"
	Done    Phase = "done"
	Failed  Phase = "failed"
)

// Ended says whether nothing more happens to a job of this phase.
func (p Phase) Ended() bool { return p == Done || p == Failed }

// Class is the kind of a failure; it decides what happens next.
type Class string

// The classes. Waiting for permits, Redis or an open breaker is none of them.
const (
	Transient Class = "transient" // worth another try: network, 5xx, bad JSON
	Permanent Class = "permanent" // dead at once: 4xx, a job that cannot be read
	Poison    Class = "poison"    // the process died until the deliveries were used up
	Overdue   Class = "overdue"   // it had not ended when its round had to
	Cancelled Class = "cancelled" // an operator has ended it, or its round
	Damaged   Class = "damaged"   // its evaluation was gone or unreadable when the round had to end
)

// Classes are those of dead letters.
func Classes() []Class { return []Class{Transient, Permanent, Poison, Overdue, Cancelled, Damaged} }
