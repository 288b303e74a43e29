// Package page is the text that is shown: a page for each kind of data in package
// view, the display of a round that runs, and the lines that end a command.
//
// Guarantees: a page is a function of its data and of the place that it is written to.
// No line is wider than the terminal, from 40 columns on; no number is cut. What others
// have written, such as a title, steers no terminal. A display never makes a round wait.
//
// How it fails: a page that cannot be written is an error that begins with "printing".
// A display whose output is gone ends, and the round goes on.
package page
