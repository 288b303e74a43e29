// Package estimate says how long a round will take before it runs. It tells:
//
//   - the requests with an empty score cache (cold) and with a full one (warm)
//   - the time that these requests take at the limit
//   - how many workers use up the limit
//   - what a second egress would change
//
// Guarantees: each number says whether it was measured in a round or assumed. The requests
// are exact if the mirror is as it was in the measured round and no request had to be
// repeated in either. Retries, redeliveries, changes at the mirror, and two workers that
// need one pull request at the same instant add requests that are not foreseen. Times count
// from the first permit to the last. The pause of a bucket that starts, and the work of the
// last job after its last request, come on top.
//
// It is pure: it uses no network, disk or clock.
package estimate
