// Package bounded shortens texts from outside: answers of the mirror, names and errors of
// workers, remarks of operators. Such a text may be long, may steer a terminal and may
// not be UTF-8.
//
// Guarantees: the result is UTF-8 and not longer than was asked for, except for the mark of
// Text. It says that it was cut. Shortening it again changes nothing, so writer and reader
// may both do it.
package bounded
