package scorecache

import "context"

// What the tests put into the bucket by hand, and read from it.
var (
	Encode = encode
	Decode = decode
)

// ID is where the bucket has a key.
func (k Key) ID() string { return k.id() }

// Turns is what lets one job at a time fetch a pull request.
type Turns struct{ turns }

// Take is take.
func (t *Turns) Take(ctx context.Context, key string) (leave func(), err error) {
	return t.take(ctx, key)
}
