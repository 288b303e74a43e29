// Package kubernetes holds the tests of the manifests beside it: each one is built with
// kustomize, decoded strictly as the API's own types, and held against the rules of the house:
// what a container may do, who may talk to whom, and that settings, secrets and addresses exist.
//
// It is a module of its own, so that the product does not depend on Kubernetes. No cluster
// takes part: what only a cluster can show is listed in docs/install.md#kubernetes.
package kubernetes
