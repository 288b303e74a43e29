package main_test

import "path/filepath"

// settledCase is a recorded world in which every files answer settles at once:
// the parity case 0001, with the one file marked as binary whose base it lacks, a
// file for each pull request that has none, and no issue that one of them solved
// (only the list of its author has counts to compare).
var settledCase = filepath.Join("testdata", "settled.json.zst")
