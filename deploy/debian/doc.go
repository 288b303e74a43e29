// Package debian holds the tests of the script that packs a release for Debian.
package debian
