// Package strictjson reads JSON objects that operators write, entry by entry.
//
// Guarantees: entries come in file order. What encoding/json lets pass is
// refused: a key that stands twice, and text after the object's end. Values in
// errors are short, and long ones, which may be a secret, are not shown.
package strictjson
