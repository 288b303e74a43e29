package outcome

// Mended is one thing that the reconciler put right.
type Mended struct {
	UID  int    `json:"uid"` // -1 for the round as a whole
	What string `json:"what"`
}

// Replayed says what a replay did.
type Replayed struct {
	// UIDs were run again.
	UIDs []int
	// Meanwhile were to be run again, and another replay was first: it ran
	// them already when this one was asked, or took its turn before.
	Meanwhile []int
	// Identified are those whose identity GitHub has told now, Unidentified those
	// whose identity is still unknown.
	Identified, Unidentified []int
}
