package dashboard

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"strings"
)

//go:embed assets
var assetFiles embed.FS

// assets are the style sheet, the script and the icon, by their names. Their addresses
// contain a digest, so that a browser keeps them until they change.
type assets map[string]asset

type asset struct {
	address, typ string
	data         []byte
}

// assetTypes are all assets, with their types.
var assetTypes = map[string]string{ //nolint:gochecknoglobals // a table
	"style.css": "text/css; charset=utf-8",
	"script.js": "text/javascript; charset=utf-8",
	"icon.svg":  "image/svg+xml",
}

func readAssets() assets {
	all := assets{}
	for name, typ := range assetTypes {
		data, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			panic(err) // it is part of the program
		}
		digest := sha256.Sum256(data)
		all[name] = asset{"/assets/" + hex.EncodeToString(digest[:8]) + "/" + name, typ, data}
	}
	return all
}

// ServeHTTP serves an asset. An address of another version is gone: a page that is older than
// the program loads the asset of its own version from the browser's cache, or none.
func (a assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, there := a[r.PathValue("name")]
	if !there || !strings.HasSuffix(file.address, r.PathValue("version")+"/"+r.PathValue("name")) {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", file.typ)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(file.data) // the viewer may have left
}
