// Package dashboard serves the producer's pages for a browser: the rounds, a round while
// it runs and afterwards, any miner's score with the reasons for it, repositories, the
// limit, tokens, workers and the health of the installation. It shows what the commands
// print and the API answers, from the same data (package view).
//
// Guarantees:
//   - Reading changes nothing. Every act asks first and shows what it will do, needs one of
//     the API's tokens, and is carried out by package steering, as the API's are.
//   - Every text that comes from outside is escaped for the place where it stands, and
//     isolated, so that its direction marks turn nothing around. Nothing is loaded from
//     elsewhere, and the content-security policy allows neither inline scripts nor styles.
//   - Every page works without JavaScript, except that it then does not update itself.
//   - A page is complete before its first byte is sent: an error in the middle of it becomes
//     a page that says what is wrong and what to do, with the right status.
//   - Viewers cost a round nothing: everybody who looks at a round shares one reader of its
//     records, and each change is rendered once.
//
// How it fails: if NATS or Redis is away, a page says so once the request's time is over
// (503). A page that panics is 500, and costs only that request.
package dashboard
