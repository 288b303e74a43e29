package mirrorsim

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/url"
	"slices"
	"strconv"
)

// maxPage is the maximum number of items of a page, and the size of a page when a client
// sends a cursor without a limit.
const maxPage = 200

// paging is a client's request for a page.
type paging struct {
	asked  bool
	limit  int
	cursor string
}

// parsePaging reads limit and cursor; its errors are the mirror's 400.
func parsePaging(query url.Values) (paging, error) {
	p := paging{asked: query.Has("limit") || query.Has("cursor"), limit: maxPage, cursor: query.Get("cursor")}
	if query.Has("limit") {
		n, err := strconv.Atoi(query.Get("limit"))
		if err != nil || n < 1 || n > maxPage {
			return paging{}, fmt.Errorf("limit %q: must be an integer from 1 to %d", query.Get("limit"), maxPage)
		}
		p.limit = n
	}
	if query.Has("cursor") && p.cursor == "" {
		return paging{}, errors.New("cursor must not be empty")
	}
	return p, nil
}

// page is one page of a list, with the cursor of the next one; "" on the last. list
// identifies the list, windows included. A cursor of another list is refused: this finds
// clients that send the body with the windows only for the first page.
func (p paging) page(items []item, list string) (page []item, next string, err error) {
	if !p.asked {
		return items, "", nil
	}
	start := 0
	if p.cursor != "" {
		if start, err = decodeCursor(p.cursor, list, len(items)); err != nil {
			return nil, "", err
		}
	}
	end := min(start+p.limit, len(items))
	if end < len(items) {
		next = encodeCursor(list, end)
	}
	return items[start:end], next, nil
}

// newestFirst is the order of paged lists: by creation, repository and number, all
// descending. A list without pages keeps the world's order.
func newestFirst(items []item) []item {
	sorted := slices.Clone(items)
	slices.SortStableFunc(sorted, func(a, b item) int {
		return cmp.Or(b.created.Compare(a.created), cmp.Compare(b.repo, a.repo), cmp.Compare(b.number, a.number))
	})
	return sorted
}

// A cursor is the checksum of the list, the index of the next item, and a checksum of
// both, by which an invented or damaged cursor is recognized.
const cursorSize = 12

// encodeCursor is the cursor of the item at offset.
func encodeCursor(list string, offset int) string {
	raw := make([]byte, 0, cursorSize)
	raw = binary.BigEndian.AppendUint32(raw, crc32.ChecksumIEEE([]byte(list)))
	raw = binary.BigEndian.AppendUint32(raw, uint32(offset))
	raw = binary.BigEndian.AppendUint32(raw, crc32.ChecksumIEEE(raw))
	return base64.RawURLEncoding.EncodeToString(raw)
}

// decodeCursor is the index in a cursor. Its errors are the mirror's 400.
func decodeCursor(text, list string, length int) (int, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != cursorSize || binary.BigEndian.Uint32(raw[8:]) != crc32.ChecksumIEEE(raw[:8]) {
		return 0, errors.New("cursor is invalid")
	}
	offset := binary.BigEndian.Uint32(raw[4:])
	if binary.BigEndian.Uint32(raw) != crc32.ChecksumIEEE([]byte(list)) || offset >= uint32(length) {
		return 0, errors.New("cursor is of another list")
	}
	return int(offset), nil
}
