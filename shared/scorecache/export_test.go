package scorecache

// What the tests put into the bucket by hand, and read from it.
var (
	Encode = encode
	Decode = decode
)

// ID is where the bucket has a key.
func (k Key) ID() string { return k.id() }
