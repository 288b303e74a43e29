package view

// Following counts the rounds that are followed.
func (h *Hub) Following() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.rooms)
}
