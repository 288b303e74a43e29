// Package page writes the text that the commands show a person: a page for each kind of
// data in package view, the display of a running round, and the lines that end a command.
//
// Guarantees: a page is a function of its data and of the writer (its width, and whether it
// is a terminal). No line is wider than a terminal of 40 columns or more, and no number is
// cut. Text that strangers have written, such as a title, cannot control a terminal. A
// display never makes a round wait.
//
// How it fails: a page that cannot be written is an error that begins with "printing". A
// display whose output is closed ends, and the round continues.
package page
