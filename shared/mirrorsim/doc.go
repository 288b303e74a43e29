// Package mirrorsim is a mirror for trials and tests: it answers every
// request that the real one answers, from a World that it is given, behind a
// limit that counts as Cloudflare may.
//
// A World is recorded (ReadCase, and Demo, which is built in), read from git
// histories (package gitworld), or made by hand (NewWorld, AddPull, …). It is not changed
// once a server serves it.
//
// Guarantees. Every request outside /sim/ counts, refused ones too, under
// three counts at once: fixed windows whose start nobody knows, a sliding
// log, and the two-window estimate prev·(1−x/W)+cur. Over the limit by any of
// them, every request gets 429 with Retry-After until the mitigation period
// ends. Stats are exact: an answer is counted before its first byte leaves, so
// whoever has received it finds it counted; the worst ten seconds are found
// over all phases, not over those that the limit happened to use. The same
// world, seed and order of requests give the same answers and the same faults.
//
// How it fails. Start fails with an error that names the setting, or the
// address when that cannot be had. A request that a World cannot answer (a git
// process that died) gets 500 and is logged once. Close ends requests that are
// held back by latency or stalls, and returns when no goroutine is left.
package mirrorsim
