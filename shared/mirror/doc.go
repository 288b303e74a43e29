// Package mirror is the client of the one mirror that the fleet asks. A
// process has one Client: main makes it, hands it down and closes it; nobody
// else does either.
//
// Guarantees:
//   - Not one request leaves without a permit: metering sits in the
//     RoundTripper, so that retries and redirects take permits too. A request
//     first gets its place in the connection pool, then its permit, and leaves
//     at once; a permit that has become too old is thrown away for another.
//   - Never more connections than the pool's size.
//   - A request is tried three times. Network errors, 5xx, 429 and bodies that
//     are not JSON are worth another try, after a pause with full jitter; any
//     other 4xx is final. A Retry-After, and a 429 without one, cools down the
//     whole egress.
//   - Answers are capped while they are read, and decoded item by item: an item
//     that cannot be read is skipped and reported in Malformed, and never costs
//     another item. What makes an item malformed is what does so in the
//     validator.
//   - The breaker opens when the mirror fails request after request. Then calls
//     wait, they do not fail; throttling, final answers and cancellation do not
//     count against it.
//   - The trace is never sent to the mirror.
//
// Texts: an answer that is not valid UTF-8 reaches Go strings with U+FFFD in
// place of each wrong byte, as Python's decoder does with errors="replace"; a
// lone surrogate escape (\ud800) becomes U+FFFD too, where Python keeps it and
// fails later, when it encodes the text for the parser.
//
// How it fails: with a *RequestError that matches ErrFinal or ErrUnavailable,
// or with the context's error.
package mirror
