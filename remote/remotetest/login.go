package remotetest

import (
	"errors"
	"slices"

	"github.com/gliderlabs/ssh"
	gossh "golang.org/x/crypto/ssh"
)

// Login is what sshd does about a login beside taking the fleet's key. The zero value is a usual sshd.
type Login struct {
	Banner       string // sent before the login
	Refused      bool   // though its key is right, as with PermitRootLogin no
	NoForwarding bool   // AllowTcpForwarding no

	// Password and Challenge are second factors, after the key: AuthenticationMethods publickey,password
	// and publickey,keyboard-interactive. Where both are set, either will do.
	Password string
	// Challenge asks as it likes, in rounds, and says whether the answers are right.
	Challenge func(ask func(instruction string, questions ...string) ([]string, error)) bool

	KeyExchanges []string // those of the server, in place of the usual ones
}

func (h *Host) takesKey(user string, key gossh.PublicKey) bool {
	return user == h.options.User && ssh.KeysEqual(key, h.fleet.key.PublicKey())
}

var errDenied = errors.New("permission denied")

// loginConfig is the part of the server's configuration that gliderlabs/ssh cannot express.
func (h *Host) loginConfig(ssh.Context) *gossh.ServerConfig {
	l := h.options.Login
	config := &gossh.ServerConfig{}
	config.KeyExchanges = slices.Clone(l.KeyExchanges)
	if !l.Refused && l.Password == "" && l.Challenge == nil {
		return config
	}
	// Without handlers of its own gliderlabs/ssh lets everybody in.
	config.NoClientAuthCallback = func(gossh.ConnMetadata) (*gossh.Permissions, error) { return nil, errDenied }
	var next gossh.ServerAuthCallbacks
	if l.Password != "" {
		next.PasswordCallback = func(_ gossh.ConnMetadata, got []byte) (*gossh.Permissions, error) {
			if string(got) != l.Password {
				return nil, errDenied
			}
			return nil, nil
		}
	}
	if l.Challenge != nil {
		next.KeyboardInteractiveCallback = func(_ gossh.ConnMetadata, client gossh.KeyboardInteractiveChallenge) (*gossh.Permissions, error) {
			ask := func(instruction string, questions ...string) ([]string, error) {
				return client("", instruction, questions, make([]bool, len(questions)))
			}
			if !l.Challenge(ask) {
				return nil, errDenied
			}
			return nil, nil
		}
	}
	config.PublicKeyCallback = func(c gossh.ConnMetadata, key gossh.PublicKey) (*gossh.Permissions, error) {
		if !h.takesKey(c.User(), key) {
			return nil, errDenied
		}
		if l.Refused {
			return nil, nil // the signature is asked for; VerifiedPublicKeyCallback refuses
		}
		return nil, &gossh.PartialSuccessError{Next: next}
	}
	if l.Refused {
		config.VerifiedPublicKeyCallback = func(gossh.ConnMetadata, gossh.PublicKey, *gossh.Permissions, string) (*gossh.Permissions, error) {
			return nil, errDenied
		}
	}
	return config
}
