// Package systemd holds the tests of the units that a release has beside it.
package systemd
