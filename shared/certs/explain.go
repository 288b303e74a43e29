package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
)

// Explain makes an Error of a connection's failure if TLS is what is wrong, and
// returns nil for any other failure, such as that of a server which is away.
// setting is the flag of the address, such as --nats.
func Explain(err error, setting string) error {
	if own, is := errors.AsType[*Error](err); is { // a file became unusable
		return own
	}
	if what, remedy, wrong := ofServer(err, setting); wrong {
		return &Error{what, remedy, err}
	}
	// The other side has sent an alert, such as "certificate required".
	if alert, is := errors.AsType[*net.OpError](err); is && alert.Op == "remote error" {
		return &Error{
			"the server ends TLS: " + alert.Err.Error(),
			"give a valid certificate of a CA that the server trusts, with " + setting + "-cert and " + setting + "-key", err,
		}
	}
	if _, is := errors.AsType[tls.RecordHeaderError](err); is {
		return &Error{"the server speaks no TLS at this address", "correct the port in " + setting + ", or switch TLS on at the server", err}
	}
	return nil
}

// ofServer says what is wrong with the certificate that the server has shown.
func ofServer(err error, setting string) (what, remedy string, wrong bool) {
	if unknown, is := errors.AsType[x509.UnknownAuthorityError](err); is {
		return "the server's certificate is of no CA that is trusted here (" + unknown.Error() + ")",
			"give the certificate of its CA with " + setting + "-ca", true
	}
	if host, is := errors.AsType[x509.HostnameError](err); is {
		return "the server's certificate is for another name (" + host.Error() + ")",
			"give the name that it is for in " + setting + ", or a certificate with this name to the server", true
	}
	if invalid, is := errors.AsType[x509.CertificateInvalidError](err); is {
		remedy := "give the server a certificate that is made for servers"
		if invalid.Reason == x509.Expired {
			remedy = "renew the server's certificate, and look at the clocks of both machines"
		}
		return "the server's certificate is not valid (" + invalid.Error() + ")", remedy, true
	}
	if failed, is := errors.AsType[*tls.CertificateVerificationError](err); is {
		return "the server's certificate is refused (" + failed.Error() + ")", "renew it, or give its CA with " + setting + "-ca", true
	}
	return "", "", false
}
