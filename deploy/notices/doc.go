// Command notices writes the licences and the lists of parts that every copy of the
// product must have with it. These are the licence texts of every Go module and grammar
// in it, and the list of the grammars in CycloneDX's form. Another program reads the
// binaries and makes the lists of their Go modules.
//
// Guarantees:
//   - Every module that a command links, and Go's own library, has its licence
//     files under modules/; so have folders inside a module that bring another
//     licence.
//   - Every grammar, and the parser's runtime, has its text under grammars/. The
//     source distribution of the grammars has none: grammars.json holds what each
//     grammar's own repository says, texts/ the licences' words.
//   - The same sources give the same bytes.
//
// How it fails: exit code 1 and one line that names the module or the grammar
// without a text; what was written by then is of no use. 2 for wrong usage.
package main
