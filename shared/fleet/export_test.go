package fleet

// Slots is how the use of an egress is read.
var Slots = slots

// NotConnected is why NATS does not answer a process that has no connection.
var NotConnected = notConnected
