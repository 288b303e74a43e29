// Package telemetry sets up what lets an operator see a process: traces by
// OTLP, structured logs with trace ids, and the carrier that takes a trace
// through the headers of a NATS message. Names of spans and attributes are
// declared here and nowhere else.
//
// Guarantees: without OTEL_EXPORTER_OTLP_ENDPOINT (or its _TRACES_ form)
// nothing is recorded and nothing is sent; a trace that came in a message is
// still handed on. A collector that is slow or away never holds up work: spans
// are sent in the background and dropped when the queue is full, and a failed
// export is logged at most once a minute.
//
// States: off, or on from Setup to its shutdown. OpenTelemetry's provider,
// propagator and error handler are the process's own, so Setup is for main.
//
// How it fails: a setting of OpenTelemetry's with a value that means nothing is
// refused at start, with the setting's name. Nothing fails later but shutdown,
// when the last spans cannot be sent in the time that it is given.
package telemetry
