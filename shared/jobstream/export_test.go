package jobstream

// NotConnected is why a process has no connection.
var NotConnected = notConnected
