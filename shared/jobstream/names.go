package jobstream

// StreamNames are the names of all declared streams and of the buckets'
// streams, in the order of their declarations.
func StreamNames() []string {
	var names []string
	for _, s := range streams() {
		names = append(names, s.Name)
	}
	for _, kv := range kvBuckets() {
		names = append(names, "KV_"+kv.Bucket)
	}
	return names
}
