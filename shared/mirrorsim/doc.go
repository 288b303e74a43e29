// Package mirrorsim simulates the mirror for trials and tests. It answers every request
// that the real one answers, from a given World, behind a limit that counts in every way
// in which Cloudflare may count.
//
// A World is recorded (ReadCase, and Demo, which is built in), read from git histories
// (package gitworld), or made by hand (NewWorld, AddPull, …). It does not change while a
// server serves it.
//
// Guarantees. Every request outside /sim/ counts, refused ones too, in three ways at
// once: fixed windows with an unknown start, a sliding log, and the two-window estimate
// prev·(1−x/W)+cur. Each client's IP address is counted by itself. When any count of an address
// exceeds the limit, its every request gets 429 with Retry-After until the mitigation period
// ends. Stats are exact: an answer is counted
// before its first byte leaves, so a client that has received it finds it counted. The
// worst window is found over all phases, not only over those that the limit used. The
// same world, seed and order of requests give the same answers and the same faults.
//
// How it fails. Start fails with an error that names the setting, or the address when it
// cannot listen there. A request that a World cannot answer (a git process that died)
// gets 500 and is logged. Close ends requests that wait for a latency or a stall, and
// returns when no goroutine is left.
package mirrorsim
