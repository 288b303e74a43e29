// Command up runs a whole fleet on this machine as it runs on several: three NATS servers with
// TLS and roles, Redis with TLS and users, a leading producer and a standby, four workers and
// two gateways behind two egresses, and a simulated mirror. All are processes of their own on
// loopback. NATS and Redis run with the start scripts and configuration files that real fleets
// use. Only the addresses that NATS listens on are changed: three servers on one machine need
// three of each.
//
// Guarantees:
//   - The start makes a certificate authority and all passwords, in a folder that nobody else
//     can enter. No process has them in its arguments.
//   - A process that ends is started again, as systemd or Kubernetes would do. A process that
//     ends with exit code 2 (wrong usage) ends the fleet, because another start would not help.
//   - SIGINT or SIGTERM ends every process, those that use others first, and removes the
//     folder unless it is kept. If this process is killed, Linux kills the others.
//   - With a backup, the servers start empty, the backup is restored, and only then does
//     anything else start.
//
// Failures: exit code 1, the process that did not come up, and the end of its log; 2 for wrong
// usage.
package main
