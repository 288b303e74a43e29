// Package whoami asks a service on the internet which public address this process sends
// from, and finds egresses whose names and addresses do not fit together.
//
// A machine may have an address of either family, and the mirror may see either one. So
// [Asker.Ask] asks once over IPv4 and once over IPv6. If the machine lacks a family, that is no
// failure as long as the other one answers.
//
// Guarantees: the service is not trusted. An answer has a time-out and a bound. It counts only
// if it is one public address and nothing else. Quotes of any other answer are shortened.
// [Compare] is pure.
package whoami
