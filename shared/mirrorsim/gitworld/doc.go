// Package gitworld builds the world of a simulated mirror from git histories: pull
// requests with the files of real code.
//
// The same histories make the same world. Texts stay in git until a client asks for them,
// so memory does not grow with a history. A folder that is no repository, or has no pull
// requests, is an error that names it. A repository that becomes unreadable later makes
// the mirror answer 500.
package gitworld
