// Package manifest describes and verifies a grammars directory. Such a directory has the
// parser's runtime with our walk compiled in, and one shared object per language, each
// with the digest of the sources that it was made from.
//
// Guarantees:
//   - A directory that Verify accepts holds every language of the rules, each
//     file byte for byte as it was built, and a runtime made from this very
//     version of the walk.
//   - Digest depends on sources alone, never on the machine or the compiler:
//     two machines that parse alike have the same one, and the score cache can
//     hold it in its keys.
//
// How it fails: with an error that names the directory and the file; what makes
// a directory good again is the caller's to say.
package manifest
