package containers_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
)

// TestTheImageIsSmall: what a machine downloads to run the product is at most 200 MB, grammars
// and Debian included. The layers are compressed as a registry keeps them.
//
//nolint:paralleltest // it competes with no round for the processors
func TestTheImageIsSmall(t *testing.T) {
	if form != "full" {
		t.Skip("this needs the image that deploy/Dockerfile compiles: make container-test")
	}
	const limit = 200e6
	dockerfile := must.Get(os.ReadFile(filepath.Join("..", "Dockerfile")))(t)
	name := regexp.MustCompile(`(?m)^ARG DEBIAN_IMAGE=([^@\s]+)`).FindSubmatch(dockerfile)
	base := layers(t, string(name[1]))
	all := layers(t, "mirrorfleet")
	var whole, ours int64
	for i, layer := range all {
		whole += layer
		if i >= len(base) {
			ours += layer
		}
	}
	t.Logf("compressed, the image has %.1f MB, of which the product's own layers have %.1f MB", float64(whole)/1e6, float64(ours)/1e6)
	if len(all) <= len(base) || whole > limit {
		t.Errorf("the image has layers of %v bytes over %d of its base; want layers of its own, and at most %.0f bytes", all, len(base), limit)
	}
}

// layers are the compressed sizes of an image's layers, the base's first.
func layers(t *testing.T, image string) (sizes []int64) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "image")
	podman(t, "save", "--quiet", "--format", "oci-dir", "--output", folder, image)
	var index struct {
		Manifests []struct {
			Digest string `json:"digest"`
		} `json:"manifests"`
	}
	must.Do(t, json.Unmarshal(must.Get(os.ReadFile(filepath.Join(folder, "index.json")))(t), &index))
	_, digest, _ := strings.Cut(index.Manifests[0].Digest, ":")
	var manifest struct {
		Layers []struct {
			MediaType string `json:"mediaType"` //nolint:tagliatelle // as the image has it
			Size      int64  `json:"size"`
		} `json:"layers"`
	}
	must.Do(t, json.Unmarshal(must.Get(os.ReadFile(filepath.Join(folder, "blobs", "sha256", digest)))(t), &manifest))
	for _, layer := range manifest.Layers {
		if !strings.HasSuffix(layer.MediaType, "+gzip") {
			t.Fatalf("%s has a layer of %s, want it compressed", image, layer.MediaType)
		}
		sizes = append(sizes, layer.Size)
	}
	return sizes
}
