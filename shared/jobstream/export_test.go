package jobstream

// StopWatch ends a watcher, whatever it still has to say.
var StopWatch = stopWatch
