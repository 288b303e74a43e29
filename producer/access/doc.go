// Package access says who may read and who may order over HTTP: the API and the dashboard
// ask the one [Guard].
//
// A caller proves itself by a token: in the header Authorization (Bearer), or once by
// [Guard.SignIn], after which a browser has a cookie with the id of a session.
//
// Guarantees:
//   - Digests are compared, in constant time, and always with all tokens: the time of an
//     answer says neither how much of a guess is right nor which token it resembles.
//   - The memory holds digests of tokens and of sessions' ids, and neither of them in the
//     clear. No error and no Caller contains one.
//   - A session lasts for [SessionTime], and ends with the process. Sessions and the
//     addresses that guessed wrong are bounded in number.
//   - A page of another site cannot order with the cookie of a browser
//     (http.CrossOriginProtection, and SameSite=Strict). It cannot read either, by a name of
//     its own that it points to this address (DNS rebinding): only names that are known are
//     answered.
//
// How it fails: closed. Without tokens for orders, nobody may order.
package access
