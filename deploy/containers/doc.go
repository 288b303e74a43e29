// Package containers holds the tests that run the product in containers: the shipped image,
// compose file and manifests for Kubernetes, over stand-ins for the images of others
// (Dockerfile), without Docker's daemon and without a registry. The script run makes the
// images, and runs the tests in namespaces of their own, so that nothing outlives them.
// Elsewhere the tests are skipped.
package containers
