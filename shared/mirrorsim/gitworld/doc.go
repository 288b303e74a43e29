// Package gitworld builds the world of a simulated mirror from git histories: pull
// requests with their files, of code that people wrote.
//
// The same histories make the same world. Texts stay in git until they are asked
// for, so memory does not grow with a history. A repository that is none, or has no
// pull requests, is refused by its folder; one that becomes unreadable later is the
// mirror's 500.
package gitworld
