package miners

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"time"

	"mirrorfleet/shared/job"
)

// shortest is the length from which on a token is too long to be guessed from
// its digest: GitHub's have 40 characters and more.
const shortest = 30

// keep is a known identity as it is kept: with the token one can tell that
// it is the same; false for a token that could be guessed.
func keep(ask LookUp, identity Identity, salt []byte, now time.Time) (job.Identity, bool) {
	if identity.State != Known || len(ask.Token.Reveal()) < shortest {
		return job.Identity{}, false
	}
	return job.Identity{
		UID:      ask.UID,
		Hotkey:   ask.Hotkey,
		GitHubID: identity.GitHubID,
		At:       now.UTC(),
		Salt:     salt,
		Proof:    proof(ask, salt),
	}, true
}

// recall is what GitHub said of a token before, or Unreachable if nothing that
// is kept is of this token and young enough.
func recall(ask LookUp, kept job.Identity, now time.Time) Identity {
	age := now.Sub(kept.At)
	switch {
	case kept.Hotkey != ask.Hotkey || githubID([]byte(kept.GitHubID)) == "" || len(kept.Salt) < sha256.Size,
		age > job.IdentityKept || age < -time.Hour, // another clock may be ahead, by so much no clock is
		!hmac.Equal(kept.Proof, proof(ask, kept.Salt)):
		return Identity{}
	}
	return Identity{State: Known, GitHubID: kept.GitHubID, KeptAt: kept.At}
}

func proof(ask LookUp, salt []byte) []byte {
	mac := hmac.New(sha256.New, salt)
	fmt.Fprintf(mac, "mirrorfleet identity\x00%d\x00%s\x00%s", ask.UID, ask.Hotkey, ask.Token.Reveal())
	return mac.Sum(nil)
}

func newSalt() ([]byte, error) {
	salt := make([]byte, sha256.Size)
	if _, err := rand.Read(salt); err != nil {
		return nil, fmt.Errorf("making a salt: %w", err)
	}
	return salt, nil
}
