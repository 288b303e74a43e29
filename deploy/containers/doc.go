// Package containers holds the tests that run the product in containers: the shipped image,
// compose file and manifests for Kubernetes, over stand-ins for the images of others (Dockerfile), without Docker's
// daemon and without a registry. The script run makes the images, and calls the tests in
// namespaces of their own, in which nothing outlives them. Elsewhere they are skipped.
package containers
