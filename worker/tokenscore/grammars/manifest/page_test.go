package manifest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
	"mirrorfleet/worker/tokenscore/grammars/manifest"
)

// The page of the rules names each source distribution as it is downloaded: another version
// or hash in the code alone would leave the reader with trees that are not the product's.
func TestTheRulesNameTheSources(t *testing.T) {
	t.Parallel()
	const page = "docs/rules/grammars.md"
	text := string(must.Get(os.ReadFile(filepath.Join("..", "..", "..", "..", filepath.FromSlash(page))))(t))
	for _, p := range manifest.Packages() {
		if row := fmt.Sprintf("\n| `%s` %s | `%s` |", p.Name, p.Version, p.SHA256); !strings.Contains(text, row) {
			t.Errorf("%s: under Sources no row is %s, as worker/tokenscore/grammars/manifest/sources.go has it", page, strings.TrimSpace(row))
		}
	}
}
