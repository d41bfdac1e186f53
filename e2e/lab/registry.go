//go:build linux

package lab

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// mirrorHandler serves the images of OCI layouts as a registry does, to pull
// from only. Any path before an image's last name is taken, so that it can
// stand for a mirror of several registries.
func mirrorHandler(layouts ...string) (http.Handler, error) {
	byRef, mediaType := map[string]descriptor{}, map[string]string{}
	for _, layout := range layouts {
		b, err := os.ReadFile(filepath.Join(layout, "index.json"))
		if err != nil {
			return nil, fmt.Errorf("reading the images: %w", err)
		}
		var idx index
		if err := json.Unmarshal(b, &idx); err != nil {
			return nil, fmt.Errorf("reading the images: %w", err)
		}
		for _, d := range idx.Manifests {
			byRef[path.Base(d.Annotations[refName])] = d
			mediaType[d.Digest] = d.MediaType
		}
	}
	open := func(name string) (*os.File, error) {
		err := fs.ErrNotExist
		for _, layout := range layouts {
			var f *os.File
			if f, err = os.Open(filepath.Join(layout, "blobs/sha256", name)); err == nil {
				return f, nil
			}
		}
		return nil, err
	}
	serve := func(w http.ResponseWriter, r *http.Request, digest, kind string) {
		name, ok := strings.CutPrefix(digest, "sha256:")
		if !ok || strings.ContainsAny(name, "/.") {
			refuse(w, http.StatusBadRequest, "DIGEST_INVALID", digest)
			return
		}
		f, err := open(name)
		if err != nil {
			refuse(w, http.StatusNotFound, "BLOB_UNKNOWN", digest)
			return
		}
		defer func() { _ = f.Close() }()
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Docker-Content-Digest", digest)
		http.ServeContent(w, r, "", time.Time{}, f)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
		rest, ok := strings.CutPrefix(r.URL.Path, "/v2/")
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "images are pulled from here, not pushed")
			return
		case ok && rest == "":
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, "{}")
			return
		}
		if name, ref, found := strings.Cut(rest, "/manifests/"); ok && found {
			d, known := byRef[path.Base(name)+":"+ref]
			if !known && mediaType[ref] != "" {
				d, known = descriptor{Digest: ref, MediaType: mediaType[ref]}, true
			}
			if !known {
				refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN", name+":"+ref)
				return
			}
			serve(w, r, d.Digest, d.MediaType)
			return
		}
		if _, digest, found := strings.Cut(rest, "/blobs/"); ok && found {
			serve(w, r, digest, "application/octet-stream")
			return
		}
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN", rest)
	}), nil
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}

// makeCertificate makes a root for the lab's mirror and the mirror's own
// certificate, and forgets the root's key.
func makeCertificate(dir string) error {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	from, until := time.Now().Add(-48*time.Hour), time.Now().AddDate(1, 0, 0)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Lab root"}, NotBefore: from, NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Lab image mirror"}, NotBefore: from, NotAfter: until,
		IPAddresses: []net.IP{net.ParseIP(gateway)}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return err
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	return errors.Join(
		writeFile(filepath.Join(dir, "mirror-ca.pem"), string(pemCertificate(caDER)), 0o644),
		writeFile(filepath.Join(dir, "mirror.crt"), string(pemCertificate(leafDER)), 0o644),
		writeFile(filepath.Join(dir, "mirror.key"), string(private), 0o600),
	)
}

// mirrorAddress is where the mirror listens.
func (l *Lab) mirrorAddress() string { return net.JoinHostPort(gateway, strconv.Itoa(l.Port)) }

// ImageMirror is the prefix under which hosts pull the lab's images while the
// mirror is served.
func (l *Lab) ImageMirror() string { return l.mirrorAddress() + "/hub" }

// StartMirror serves the images from this process until the lab is closed. The
// first call on a machine makes the images, which takes minutes.
func (l *Lab) StartMirror(ctx context.Context) error {
	server, listener, err := l.mirror(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.server = server
	go func() { _ = server.ServeTLS(listener, "", "") }()
	return nil
}

// ServeMirror serves the images until ctx ends. ready is called once it
// answers.
func (l *Lab) ServeMirror(ctx context.Context, ready func() error) error {
	server, listener, err := l.mirror(ctx)
	if err != nil {
		return err
	}
	pid := strconv.Itoa(os.Getpid())
	if err := os.WriteFile(l.mirrorPID(), []byte(pid+" "+startTime(os.Getpid())), 0o644); err != nil {
		return err
	}
	if err := ready(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving images: %w", err)
	}
	return nil
}

func (l *Lab) mirrorPID() string { return filepath.Join(l.dir, "mirror.pid") }

func (l *Lab) mirror(ctx context.Context) (*http.Server, net.Listener, error) {
	layouts, err := imageLayouts(ctx, l.log, l.machine, l.ImageSets)
	if err != nil {
		return nil, nil, fmt.Errorf("making the images: %w", err)
	}
	handler, err := mirrorHandler(layouts...)
	if err != nil {
		return nil, nil, err
	}
	certificate, err := tls.LoadX509KeyPair(filepath.Join(l.dir, "mirror.crt"), filepath.Join(l.dir, "mirror.key"))
	if err != nil {
		return nil, nil, fmt.Errorf("the mirror's certificate: %w", err)
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", l.mirrorAddress())
	if err != nil {
		return nil, nil, fmt.Errorf("serving images: %w", err)
	}
	return &http.Server{
		Handler:           handler,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
	}, listener, nil
}

// stopMirror ends the mirror, in this process or in the one that was started
// for it.
func (l *Lab) stopMirror(ctx context.Context) error {
	l.mu.Lock()
	server := l.server
	l.server = nil
	l.mu.Unlock()
	if server != nil {
		if err := server.Close(); err != nil {
			return err
		}
	}
	b, err := os.ReadFile(l.mirrorPID())
	if err != nil {
		return nil
	}
	pid, started, _ := strings.Cut(string(b), " ")
	n, err := strconv.Atoi(pid)
	if err != nil || startTime(n) != started {
		return nil
	}
	return endProcess(ctx, n, started)
}
