//go:build linux && e2e

package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"os"
	"path"
	"strings"

	"provision/e2e/lab"
)

// registers runs the tests of the registration and of the guard in the image of the flows, where Prefect itself is
// there: elsewhere those that import it are skipped.
func (s *site) registers(worker *lab.Host) {
	s.Helper()
	s.pythonTests(worker, []string{"glue/python/tests/fake.py", "glue/python/tests/test_register.py", "gen2/prefect/tests/test_guard.py"})
}

// pythonTests runs tests in the image of the flows on a host.
func (s *site) pythonTests(worker *lab.Host, names []string) {
	s.Helper()
	var packed bytes.Buffer
	var modules []string
	zip := gzip.NewWriter(&packed)
	out := tar.NewWriter(zip)
	for _, name := range names {
		if module := strings.TrimSuffix(path.Base(name), ".py"); strings.HasPrefix(module, "test_") {
			modules = append(modules, module)
		}
		text, err := os.ReadFile("../files/" + name)
		if err != nil {
			s.Fatal(err)
		}
		if err := out.WriteHeader(&tar.Header{Name: path.Base(name), Mode: 0o644, Size: int64(len(text))}); err != nil {
			s.Fatal(err)
		}
		if _, err := out.Write(text); err != nil {
			s.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		s.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		s.Fatal(err)
	}
	said := s.on(worker, `image=$(docker inspect --format '{{.Config.Image}}' prefect-business-logic)
echo `+base64.StdEncoding.EncodeToString(packed.Bytes())+` | base64 -d | docker run --rm -i --network none --user 10001 --tmpfs /tmp:mode=1777 --read-only --entrypoint sh "$image" -c 'cd /tmp && mkdir t && cd t && tar xz && python -m unittest -v `+strings.Join(modules, " ")+`' 2>&1`)
	s.contains(said, "test_all_that_is_wrong_is_said")
	s.contains(said, "\nOK")
	if strings.Contains(said, "skipped") {
		s.Errorf("tests were skipped:\n%s", said)
	}
}
