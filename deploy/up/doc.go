// Command up runs a whole fleet on this machine as it runs on several: three NATS servers
// with TLS and roles, Redis with TLS and users, a leading producer and a standby, four workers
// and two gateways behind two egresses, and a simulated mirror. All are processes of their own
// on loopback. NATS and Redis run with the start scripts and the configuration files that are
// deployed elsewhere, changed in nothing but the addresses that NATS listens on: three servers of one
// machine need three of each.
//
// Guarantees:
//   - A certificate authority and all passwords are made at start, in a folder that nobody
//     else can enter. They stand in no argument of a process.
//   - A process that ends is started again, as systemd or Kubernetes would. One that ends with
//     exit code 2, which is wrong usage, ends the fleet: starting it again would not help.
//   - SIGINT or SIGTERM ends every process, those that use others first, and removes the
//     folder unless it is kept. If this process is killed, Linux kills the others.
//   - With a backup, the servers start empty, the backup is restored, and only then does
//     anything else start.
//
// Failures: exit code 1, the process that did not come up, and the end of its log; 2 for wrong
// usage.
package main
