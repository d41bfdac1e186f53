// Command bare is the least that a Go program can do to ask a fleet something: it dials every host at
// once, checks its key, and runs one script on it. The benchmarks measure provision against it.
//
//	bare KNOWN_HOSTS IDENTITY DIR USER@HOST:PORT [USER@HOST:PORT]    the script of the n-th host is DIR/n.sh
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 4 {
		return errors.New("usage: bare KNOWN_HOSTS IDENTITY DIR USER@HOST:PORT [USER@HOST:PORT]")
	}
	known, err := knownhosts.New(args[0])
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	key, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		return err
	}
	hosts := args[3:]
	errs := make([]error, len(hosts))
	var wg sync.WaitGroup
	for n, h := range hosts {
		wg.Go(func() { errs[n] = ask(known, key, h, filepath.Join(args[2], strconv.Itoa(n)+".sh")) })
	}
	wg.Wait()
	for n, err := range errs {
		if err != nil {
			return fmt.Errorf("%s: %w", hosts[n], err)
		}
	}
	return nil
}

func ask(known ssh.HostKeyCallback, key ssh.Signer, host, script string) error {
	user, addr, _ := strings.Cut(host, "@")
	conn, err := ssh.Dial("tcp", addr, &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: known, HostKeyAlgorithms: []string{ssh.KeyAlgoED25519}, Timeout: time.Minute,
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	session, err := conn.NewSession()
	if err != nil {
		return err
	}
	f, err := os.Open(script)
	if err != nil {
		return err
	}
	defer f.Close()
	session.Stdin, session.Stdout = f, io.Discard
	return session.Run("sh -s")
}
