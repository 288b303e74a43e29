// Package disktest gives a test a small disk of its own, so that the test can fill it.
//
// Guarantees: the disk is there for one process and no other: [On] runs the
// test a second time, as a child in name spaces of its own, and all that is mounted
// there ends with it. No privileges are wanted.
//
// How it fails: where the kernel has no such name spaces, or forbids them or mounts
// in them, the test is skipped, with the reason.
package disktest
