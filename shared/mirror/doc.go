// Package mirror sends all requests to the mirror, with permits, retries and a breaker. A
// process has one Client for each mirror that it asks. The owner of the process's servers
// makes it, hands it down and closes it; nobody else does either.
//
// Guarantees:
//   - Not one request leaves without a permit: metering sits in the
//     RoundTripper, at the step between having a connection and writing to it.
//     So retries and redirects take permits, and what net/http sends again by
//     itself (counted as Stats.Resent) as well; a connection, however long it
//     takes to make, is there before the permit begins to age; the request
//     leaves at once; and the time-out starts with the permit. One that has
//     become too old is thrown away for another.
//   - Never more connections than the pool's size, a view's beside them. A place is
//     given back by whatever ends a request.
//   - A request is tried three times. Network errors, 5xx, 429 and bodies that
//     are not JSON are worth another try, after a pause with full jitter; any
//     other 4xx is final. A Retry-After, and a 429 without one, cools down the
//     whole egress, even when the job that heard it is given up.
//   - Redirects are followed within the mirror's scheme and host, and only when
//     they keep the method: a POST by 307 and 308.
//   - Answers are capped while they are read, and decoded item by item: an item
//     that cannot be read is skipped and reported in Malformed, and never costs
//     another item. A page that is longer than was asked for is cut there, and what
//     is beyond it is counted in Malformed. A list that is not read to its end is
//     an error.
//   - The trace is never sent to the mirror.
//   - Requests of others are passed on (Forward) under the same breaker, permits, pool,
//     tries and cool-downs, and are answered with what came, unread.
//
// [Client.Background] is a view for requests that make way for others': a gateway, a
// warm-up. It has permits and connections of its own, and the client's breaker.
//
// Malformed is what the validator skips, but for these, which it takes: a pull
// request or issue whose own number is no whole number (it would be asked for
// in vain), and a file without a name (the validator loses the whole pull
// request over it). Numbers may come as texts, but for the counts of reviews.
// What is wrong with the answer around the items, a list that is none included,
// fails the answer; so does NaN, which is no JSON, and another repository or
// pull request than was asked for, which the validator takes.
//
// Texts: an answer that is not valid UTF-8 reaches Go strings with U+FFFD in
// place of each broken character, as Python's decoder does with
// errors="replace"; a lone half of a surrogate pair (\ud800) becomes U+FFFD too,
// where Python keeps it and fails later, when it encodes the text.
//
// States: the breaker is closed until several requests in a row have failed
// across several paths, then open for a time, then half-open for one probe at a
// time. While it holds them calls wait, they do not fail; throttling, final
// answers and cancellation do not count against it, and a probe that is given
// up makes way for the next one. Close is for good.
//
// How it fails: with a *RequestError that matches ErrFinal or ErrUnavailable;
// with the context's error and its cause; with ErrClosed; with the Meter's
// own error, when it grants no permit; or, of what is passed on, with ErrWaited.
package mirror
