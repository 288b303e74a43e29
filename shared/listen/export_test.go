package listen

// On listens with bounds.
var On = on //nolint:gochecknoglobals // for tests alone
