// Command grammars builds the parser and the grammars of all languages into a directory.
// It compiles the validator's own C sources, without Python: they come from the source
// distributions of its Python packages, which are pinned by hash. It also compiles the
// product's walk over syntax trees together with the parser's runtime.
//
// Guarantees:
//   - The directory is replaced as a whole or not at all. An interrupted build leaves the
//     old directory, or none, and the next build removes its remains.
//   - A grammar that the same recipe has already built is reused. If all are there, nothing
//     is downloaded, unpacked or compiled.
//   - No build script of a downloaded package is run. Each package is checked by hash
//     before it is unpacked.
//   - All checkouts share one directory of downloads (--sources). A package is downloaded
//     only if it must be unpacked and is missing there. A directory that has all packages
//     needs no network.
//   - Two builds into one directory run one after the other.
//
// Failures: exit code 1, and one line that names the failure. For a missing tool, that line
// has the command that installs it. Exit code 2 for wrong usage.
package main
