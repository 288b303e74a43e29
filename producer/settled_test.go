package main_test

import "path/filepath"

// settledCase is a recorded world in which every files answer settles at once: parity
// case 0001 with three changes. The file that is marked as binary and lacks its base has
// one. Each pull request without files has a file. No pull request solves an issue,
// because only the list of its author has counts to compare.
var settledCase = filepath.Join("testdata", "settled.json.zst")
