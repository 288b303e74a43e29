// Package terminal fits text to a terminal, and removes what could control it. It finds
// out how wide the place is that a text goes to and whether it takes colour, lays out
// tables that fit it, and filters text that others wrote.
//
// Guarantees: a table is never wider than the terminal unless its numbers and names are;
// what is cut is text, ends in …, and is cut where it is longest. Numbers are
// never cut, nor are names that somebody must type. Colour goes to a terminal alone, and not where NO_COLOR is set or
// TERM is dumb. Control characters of others' text reach no terminal. What is
// no terminal (a pipe, a file) gets every cell whole.
package terminal
