package jobstream

// StreamNames are the names of all declared streams, those of buckets among them, in
// the order of their declarations.
func StreamNames() []string {
	var names []string
	for _, s := range declared() {
		names = append(names, s.Name)
	}
	return names
}
