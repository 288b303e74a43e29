package scorecache

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// Key names the content of one pull request's files and what scores it. All of
// its texts are others': they count as they are, but for the repository's case.
type Key struct {
	Repository string `json:"repository"`
	Number     int    `json:"number"`
	// Head and Base are the commits that the texts are of: Base is the merge
	// base where the mirror knows it.
	Head string `json:"head"`
	Base string `json:"base"`
	// Weights is the digest of both weights files with the languages that give
	// no nodes; Scorer identifies what computes, grammars included.
	Weights string `json:"weights"`
	Scorer  string `json:"scorer"`
}

// Base is the commit that the mirror takes base texts from.
func Base(mergeBase, base string) string {
	if mergeBase != "" {
		return mergeBase
	}
	return base
}

// Known says whether the commits are known. Without them nothing can be looked
// up or kept.
func (k Key) Known() bool { return k.Head != "" && k.Base != "" }

// canonical is the key in the one form that is compared and hashed.
func (k Key) canonical() Key {
	k.Repository = strings.ToLower(k.Repository)
	return k
}

// id is where the bucket has the key: a digest, for the bucket's keys take
// few characters and the mirror's texts are any.
func (k Key) id() string {
	k = k.canonical()
	h := sha256.New()
	// Quoted, so that no text can imitate a separator.
	for _, part := range []string{k.Repository, strconv.Itoa(k.Number), k.Head, k.Base, k.Weights, k.Scorer} {
		h.Write([]byte(strconv.Quote(part) + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil))
}
