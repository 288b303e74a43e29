// Package strictjson reads JSON objects that operators write, entry by entry.
//
// Guarantees: entries come in file order. A repeated key and text after the object's
// end are refused; encoding/json accepts both. Errors shorten values, and do not
// show long ones, which may be secrets.
package strictjson
