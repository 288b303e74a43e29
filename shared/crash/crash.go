package crash

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// Env is the variable that arms one point. It is for tests.
const Env = "MIRRORFLEET_CRASH_AT"

// Setting is the value of Env for the nth pass of a point, from 1.
func Setting(p Point, nth int) string { return fmt.Sprintf("%s:%d", p, nth) }

// Stopping is the value of Env that stops instead of killing.
func Stopping(p Point, nth int) string { return Setting(p, nth) + stopSuffix }

const stopSuffix = ":stop"

// At marks a point: the process dies or stops here if the environment says so.
func At(p Point) {
	if f := armed(); f != nil && f.point == p && f.passed.Add(1) == f.nth {
		f.act()
	}
}

// fuse is the point that is armed.
type fuse struct {
	point  Point
	nth    int64
	stops  bool
	passed atomic.Int64
}

// armed reads the environment once; nil is the usual answer.
//
//nolint:gochecknoglobals // the environment is the process's
var armed = sync.OnceValue(func() *fuse {
	text := os.Getenv(Env)
	if text == "" {
		return nil
	}
	f, err := parse(text)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2) // a test that arms nothing must not pass
	}
	return f
})

// parse reads the value of Env.
func parse(text string) (*fuse, error) {
	setting, stops := strings.CutSuffix(text, stopSuffix)
	name, number, counted := strings.Cut(setting, ":")
	nth := int64(1)
	if counted {
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%s is %q: pass %q, want a number from 1", Env, text, number)
		}
		nth = n
	}
	if !slices.Contains(Points(), Point(name)) {
		return nil, fmt.Errorf("%s is %q: no such point, want one of %v", Env, text, Points())
	}
	return &fuse{point: Point(name), nth: nth, stops: stops}, nil
}

// act ends or stops this process as the kernel or an operator would.
func (f *fuse) act() {
	if f.stops {
		fmt.Fprintf(os.Stderr, "%s=%s: this process stops itself at pass %d, for a test\n", Env, f.point, f.nth)
		if err := stop(); err != nil {
			panic(err) // as below
		}
		return
	}
	fmt.Fprintf(os.Stderr, "%s=%s: this process kills itself at pass %d, for a test\n", Env, f.point, f.nth)
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		panic(err) // nothing forbids a process its own death
	}
	select {} // the signal is on its way: nothing more must happen here
}
