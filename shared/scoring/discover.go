package scoring

// discover is section 9.
func discover(in *RoundInput, miners []*miner, stored *store) {}
