// Command grammars builds the parser and the grammars of all languages into a
// directory: the validator's own C sources, taken from the source distributions
// of its Python packages by hash, and our walk compiled with the runtime.
//
// Guarantees:
//   - The directory is replaced as a whole or not at all: an interrupted build
//     leaves the old one, or none, and the next build clears what it left.
//   - What is there and made by the same recipe is taken over; with everything
//     there, nothing is downloaded, unpacked or compiled.
//   - Downloads are checked by hash, kept beside the output, and asked for only
//     when a source has to be unpacked.
//   - Two builds of one directory run one after the other.
//
// How it fails: exit code 1 and one line that names what failed; a missing tool
// is named with the command that installs it. 2 for wrong usage.
package main
