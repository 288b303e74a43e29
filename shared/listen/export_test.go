package listen

// On listens with bounds.
var On = on
