// Command grammars builds the parser and the grammars of all languages into a
// directory: the validator's own C sources, taken from the source distributions
// of its Python packages by hash, without Python, and our walk compiled with the runtime.
//
// Guarantees:
//   - The directory is replaced as a whole or not at all: an interrupted build
//     leaves the old one, or none, and the next build clears what it left.
//   - What is there and made by the same recipe is taken over; with everything
//     there, nothing is downloaded, unpacked or compiled.
//   - Downloads come from a package index as they are: none of their own build
//     is run, and each is checked by hash before anything of it is unpacked.
//   - They are kept in one directory for all checkouts (--sources), and asked for
//     only when a source has to be unpacked and is not there: a directory that
//     has them all needs no network.
//   - Two builds of one directory run one after the other.
//
// How it fails: exit code 1 and one line that names what failed; a missing tool
// is named with the command that installs it. 2 for wrong usage.
package main
