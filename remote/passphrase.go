package remote

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/ssh"
)

func (d *Dialer) privateKey(ctx context.Context, k *keyring, path string, content []byte, public ssh.PublicKey, wait *patience) (ssh.AlgorithmSigner, error) {
	signer, err := ssh.ParsePrivateKey(content)
	var missing *ssh.PassphraseMissingError
	if errors.As(err, &missing) {
		if missing.PublicKey != nil {
			public = missing.PublicKey
		}
		lazy := &lockedKey{public: public, open: func() (ssh.AlgorithmSigner, error) {
			defer wait.pause()()
			if s := d.opened(path); s != nil {
				return s, nil
			}
			if d.Prompt != nil {
				defer wait.borrow(&d.asking)()
			}
			s, err := d.unlock(ctx, path, content)
			if errors.Is(err, errNobodyToAsk) {
				k.locked = append(k.locked, path)
			}
			return s, err
		}}
		if public != nil {
			return lazy, nil // asked for only if the server wants this key
		}
		return lazy.open()
	}
	if err != nil {
		return nil, describeKeyFile(path, content, err)
	}
	as, ok := signer.(ssh.AlgorithmSigner)
	if !ok {
		return nil, fmt.Errorf("keys of type %s are not supported", signer.PublicKey().Type())
	}
	return as, nil
}

// lockedKey is an encrypted private key, opened when it has to sign.
type lockedKey struct {
	public ssh.PublicKey
	open   func() (ssh.AlgorithmSigner, error)
}

func (l *lockedKey) PublicKey() ssh.PublicKey { return l.public }

func (l *lockedKey) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return l.SignWithAlgorithm(rand, data, "")
}

func (l *lockedKey) SignWithAlgorithm(rand io.Reader, data []byte, algo string) (*ssh.Signature, error) {
	s, err := l.open()
	if err != nil {
		return nil, err
	}
	if !sameKey(s.PublicKey(), l.public) {
		return nil, errors.New("the .pub file beside the key belongs to another key")
	}
	return s.SignWithAlgorithm(rand, data, algo)
}

var errNobodyToAsk = errors.New("the key is encrypted and there is no terminal to ask for its passphrase")

// opened is a key whose passphrase was given before.
func (d *Dialer) opened(path string) ssh.AlgorithmSigner {
	d.mu.Lock()
	defer d.mu.Unlock()
	as, _ := d.unlocked[path].(ssh.AlgorithmSigner)
	return as
}

// unlock asks for a passphrase, once for all hosts that want the key.
func (d *Dialer) unlock(ctx context.Context, path string, content []byte) (ssh.AlgorithmSigner, error) {
	if d.Prompt == nil {
		return nil, errNobodyToAsk
	}
	if as := d.opened(path); as != nil {
		return as, nil
	}
	question := fmt.Sprintf("passphrase of %s: ", path)
	for range 3 {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		answer, err := d.Prompt(ctx, question)
		if err != nil {
			return nil, fmt.Errorf("ask for the passphrase: %w", err)
		}
		signer, err := ssh.ParsePrivateKeyWithPassphrase(content, []byte(answer))
		if errors.Is(err, x509.IncorrectPasswordError) {
			question = fmt.Sprintf("wrong; passphrase of %s: ", path)
			continue
		}
		if err != nil {
			return nil, err
		}
		as, ok := signer.(ssh.AlgorithmSigner)
		if !ok {
			return nil, fmt.Errorf("keys of type %s are not supported", signer.PublicKey().Type())
		}
		d.mu.Lock()
		if d.unlocked == nil {
			d.unlocked = make(map[string]ssh.Signer)
		}
		d.unlocked[path] = as
		d.mu.Unlock()
		return as, nil
	}
	return nil, errors.New("wrong passphrase")
}
