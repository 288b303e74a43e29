// Package doing records what a job does at this moment, or what it waits for.
//
// The owner of a job puts a [Board] into the job's context. Code that works for the job
// under that context says so: [Begin] names a step, such as the files of one pull request,
// and [Wait] says what the step waits for. Both return the function that ends it. A wait
// tells its state when somebody looks, so that a place in a line and a time that is left
// are those of that moment; until then it costs one entry of a list.
//
// A job may have several steps at once. [Board.State] shows the first one that works, or the
// first one of all if every one waits.
//
// Guarantees: nothing here blocks, fails or keeps a goroutine. A context without a board is
// fine: what is said under it goes nowhere. The package has no clock.
package doing
