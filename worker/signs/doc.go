// Package signs stores what this worker process does, for others to see: who it is, what
// its jobs do or wait for, and how much of the limit it takes.
//
// A [Writer] stores a sign of life every few seconds, one when it begins, and a last one
// with the process's last word. A process that is killed says no last word; its signs stop,
// and readers see for how long (docs/run.md#the-workers).
//
// Guarantees: signs never disturb work. They are written by one goroutine of their own, each
// is tried once, and one that fails is dropped and counted. The log has the first failure and
// the return. What a job does is looked up when the sign is made, and costs the job nothing
// before that. Nothing depends on a sign: losing the bucket costs what is shown.
package signs
