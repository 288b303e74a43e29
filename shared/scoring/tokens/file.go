package tokens

// File is one file of a pull request with its texts before (Base) and after (Head).
// A text is nil when the mirror sends null. ByteSize is the size of the head, or of
// the base when there is no head; nil when the mirror sends no number.
type File struct {
	Filename         string  `json:"filename"`
	PreviousFilename string  `json:"previous_filename,omitempty"`
	Status           string  `json:"status"`
	Additions        int     `json:"additions"`
	Deletions        int     `json:"deletions"`
	Changes          int     `json:"changes"`
	Binary           bool    `json:"is_binary,omitempty"`
	ByteSize         *int    `json:"byte_size,omitempty"`
	Head             *string `json:"head_content"`
	Base             *string `json:"base_content"`
}
