// Package telemetry sets up what lets an operator see a process: traces and
// metrics, structured logs with trace ids, and the carrier that takes a trace
// through the headers of a NATS message. Names of spans, attributes and metrics
// are declared here and nowhere else.
//
// Guarantees:
//   - Without OTEL_EXPORTER_OTLP_ENDPOINT (or its _TRACES_ and _METRICS_ forms)
//     nothing is sent, and no span is recorded; a trace that came in a message is
//     still handed on.
//   - Every span and every line below With says whose job it is.
//   - What was sampled at its start is exported as it ends. The rest of a trace
//     waits in the process for the end of the last of its spans there, and is
//     exported if one of them says Kept, within bounds of memory.
//   - A collector that is slow or away never holds up work: spans are sent in
//     the background, dropped when the queue is full, and counted then; it is
//     logged at most once a minute.
//   - Secrets of the settings reach no log, also when a collector echoes them.
//
// States: off, or on from Setup to its shutdown. OpenTelemetry's providers,
// propagator and error handler are the process's own, so Setup is for main.
//
// How it fails: a setting of OpenTelemetry's with a value that means nothing is
// refused at start, with the setting's name. Nothing fails later but shutdown,
// when the last spans cannot be sent in the time that it is given.
package telemetry
