// Package telemetry sets up the traces, metrics and logs of a process. Logs are
// structured and have trace ids. Headers of NATS messages carry a trace from process to
// process. Names of spans, attributes and metrics are declared here and nowhere else.
//
// Guarantees:
//   - Without OTEL_EXPORTER_OTLP_ENDPOINT (or its _TRACES_ and _METRICS_ forms)
//     nothing is sent, and no span is recorded; a trace that came in a message is
//     still handed on.
//   - Every span and every line below With says whose job it is.
//   - A collector that is slow or away never holds up work: spans are sent in
//     the background, and dropped when the queue is full. The log says at most
//     once a minute that exports fail.
//   - Secrets of the settings reach no log, also when a collector echoes them or
//     OpenTelemetry's SDK finds a setting odd.
//
// States: off, or on from Setup to its shutdown. OpenTelemetry's providers,
// propagator, logger and error handler are the process's own, so Setup is for
// main.
//
// How it fails: an endpoint that is no URL is refused at start, with the
// setting's name, and so is a queue that the SDK cannot make. If any other setting
// is odd, the log says what the SDK does instead. Nothing fails later but shutdown,
// when the last spans cannot be sent in the time that it is given.
package telemetry
