package remote

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// knownFile is a known_hosts file as it was last read.
type knownFile struct {
	content []byte
	lines   hostLines
}

// knownHosts returns the lines of the files that are about one port of a host, in order. A file that does
// not exist holds nothing. The files are read for every handshake, because accept-new and other programs add to
// them, but an unchanged file is parsed once for all hosts: many hosts are usually in one file, and a connection
// keeps only the lines that decided about it.
func (d *Dialer) knownHosts(files []string, host string, port int) (hostLines, error) {
	names := []string{knownName(host, port)}
	if port != 22 {
		names = append(names, knownName(host, 22))
	}
	var about hostLines
	for _, f := range files {
		all, err := d.readKnownHosts(f)
		if err != nil {
			return nil, fmt.Errorf("read known_hosts: %w", err)
		}
		about = append(about, all.of(names...)...)
	}
	return about, nil
}

func (d *Dialer) readKnownHosts(name string) (hostLines, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d.knownMu.Lock()
	defer d.knownMu.Unlock()
	d.knownBuf.Reset()
	if _, err := d.knownBuf.ReadFrom(f); err != nil {
		return nil, err
	}
	content := d.knownBuf.Bytes()
	if k, ok := d.known[name]; ok && bytes.Equal(k.content, content) {
		return k.lines, nil
	}
	k := knownFile{bytes.Clone(content), parseKnownHosts(name, content, d.logf)}
	if d.known == nil {
		d.known = make(map[string]knownFile)
	}
	d.known[name] = k
	return k.lines, nil
}
