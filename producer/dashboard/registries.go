package dashboard

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"sync"

	"mirrorfleet/producer/web"
)

// registries are those that were sent for a what-if, the last one at the end. An address names
// one by its digest, so that the answer keeps it while its changes come and go. The zero value
// has none.
type registries struct {
	mu   sync.Mutex
	kept []keptRegistry
}

type keptRegistry struct {
	id   string
	data json.RawMessage
}

// maxRegistries bounds the memory that they take, to 8 MiB at worst.
const maxRegistries = 8

// keep keeps a registry and returns its id; "" for an empty one. The one that was sent
// longest ago leaves for it.
func (k *registries) keep(data json.RawMessage) (id string) {
	if len(data) == 0 {
		return ""
	}
	digest := sha256.Sum256(data)
	id = hex.EncodeToString(digest[:])
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept = slices.DeleteFunc(k.kept, func(one keptRegistry) bool { return one.id == id })
	k.kept = append(k.kept, keptRegistry{id, data})
	k.kept = slices.Delete(k.kept, 0, max(0, len(k.kept)-maxRegistries))
	return id
}

// of is the registry that an address names; nil for "". What is no longer kept is a
// web.ProblemError.
func (k *registries) of(id string) (json.RawMessage, error) {
	if id == "" {
		return nil, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	at := slices.IndexFunc(k.kept, func(one keptRegistry) bool { return one.id == id })
	if at < 0 {
		return nil, &web.ProblemError{
			Status: http.StatusNotFound,
			Title:  "The registry is no longer kept",
			Detail: "the producer has restarted, or others were sent since",
			Todo:   "Send it again below.",
		}
	}
	return k.kept[at].data, nil
}
