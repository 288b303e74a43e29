package jobstream

// NotConnected is the reason why a process has no connection.
var NotConnected = notConnected
