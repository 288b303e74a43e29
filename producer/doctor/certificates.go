package doctor

import (
	"context"
	"crypto/x509"
	"math"
	"time"

	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/ratelimit"
)

// Certificates checks how long the certificates of both sides last: those that the servers
// show, and those that this process shows. A connection that is open outlasts its
// certificates, and the next one fails.
type Certificates struct {
	NATS, Redis string
	NATSFiles   jobstream.Files
	RedisFiles  ratelimit.Files
	// API are the files of the API; none if this process serves none.
	API certs.Files
	// Wait is how long a server that is away is retried.
	Wait time.Duration
	Now  time.Time
}

// Check looks at all of them. A certificate that cannot be had is left to the check of its
// server.
func (c Certificates) Check() Check {
	return Check{"certificates", func(ctx context.Context) []Finding {
		var found []Finding
		leaves := 0
		judge := func(what string, leaf *x509.Certificate) {
			if leaf != nil {
				leaves++
				found = append(found, judgeCertificate(what, leaf.NotAfter, c.Now)...)
			}
		}
		judge("NATS at "+where(c.NATS), c.ofNATS(ctx))
		if leaf, err := ratelimit.ServerCertificate(ctx, c.Redis, c.RedisFiles); err == nil {
			judge("Redis", leaf)
		}
		for _, own := range []struct {
			flag  string
			files certs.Files
		}{{"--nats-cert", c.NATSFiles.TLS}, {"--redis-cert", c.RedisFiles.TLS}, {"--api-cert", c.API}} {
			if own.files.Cert == "" {
				continue
			}
			if pair, err := own.files.Pair(); err == nil {
				judge(own.flag+" "+own.files.Cert, pair.Leaf)
			}
		}
		return unless(found, "%s, none of which expires within %s", plural.Of(leaves, "certificate"), inDays(soonOver))
	}}
}

func (c Certificates) ofNATS(ctx context.Context) *x509.Certificate {
	nc, err := connectNATS(ctx, c.NATS, c.NATSFiles, c.Wait)
	if err != nil {
		return nil
	}
	defer nc.Close()
	state, err := nc.TLSConnectionState()
	if err != nil || len(state.PeerCertificates) == 0 { // there is no TLS
		return nil
	}
	return state.PeerCertificates[0]
}

// judgeCertificate judges the end of a certificate.
func judgeCertificate(what string, end, now time.Time) []Finding {
	switch left := end.Sub(now); {
	case left <= 0:
		return []Finding{fault(CertificateExpires, "the certificate of %s has expired, at %s", what, end.UTC().Format(time.RFC3339))}
	case left < soonOver:
		return []Finding{warn(CertificateExpires, "the certificate of %s expires in %s", what, inDays(left))}
	}
	return nil
}

// inDays says how long a certificate still lasts.
func inDays(left time.Duration) string { return plural.Of(int(math.Round(left.Hours()/24)), "day") }
