// Package estimate says how long a round will take, before it is run: the
// requests that it makes with nothing in the score cache (cold) and with
// everything in it (warm), the time that these take at the limit, how many
// workers use the limit up, and what a second egress would change.
//
// Guarantees: every figure says where it comes from, measured in a round or
// assumed. The requests are exact for a round over the mirror as it was in the
// measured one, when none had to be repeated in either: what a retry, a
// redelivery, two workers that need a pull request at the same instant, or a
// change at the mirror adds is not foreseen. Times are those of
// the permits, from the first to the last: the pause of a bucket that begins and
// the last job's own work come on top.
//
// It decides from what it is given: no network, disk or clock.
package estimate
