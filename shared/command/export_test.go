package command

// Version, for its test.
var Version = version
