// Package telemetry sets up what lets an operator see a process: traces by
// OTLP, structured logs with trace ids, and the carrier that takes a trace
// through the headers of a NATS message. Names of spans and attributes are
// declared here and nowhere else.
//
// Guarantees: without OTEL_EXPORTER_OTLP_ENDPOINT (or its _TRACES_ form)
// nothing is recorded and nothing is sent. A collector that is slow or away
// never holds up work: spans are sent in the background and dropped when the
// queue is full, and a failed export is logged at most once a minute.
//
// How it fails: a setting with a value that means nothing is refused at start,
// with the setting's name; nothing fails later.
package telemetry
