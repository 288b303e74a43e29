package fleet

// Slots is how the use of an egress is read.
var Slots = slots
