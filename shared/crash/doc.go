// Package crash marks the steps between two durable effects, and kills this process at
// one of them when a test asks for it.
//
// A step is marked where it stands, `crash.At(crash.EvaluationStored)`: what
// comes before it has been confirmed, what comes after it has not been begun.
// With MIRRORFLEET_CRASH_AT unset, as it is everywhere but in tests, a mark is
// one comparison with nil. Set to "POINT" or "POINT:N" it makes the Nth pass
// of that point (the first by default) the process's last: SIGKILL, no
// deferred call, no buffer flushed, nobody told. Set to "POINT:N:stop" it stops
// the process there instead (SIGSTOP) until somebody continues it: a worker
// that outsleeps its lease between two steps.
//
// The marks are in every build, on purpose: a build of its own for the tests
// would test another program than the one that runs. What it costs is that
// the variable must not be set in production, which its one line on standard
// error says too.
//
// Guarantees: a name that no point has ends the process with exit code 2 at
// the first mark, so that no test believes it killed what it did not; a test
// (package crashtest) reads the marks out of the sources, so that a point that
// nobody kills at is found.
package crash
