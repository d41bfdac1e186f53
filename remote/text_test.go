package remote

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
)

func FuzzQuoteThroughTheShell(f *testing.F) {
	for _, s := range []string{"", "a", "it's", `\`, "a\nb\n", "$x `y` \"z\"", "''", "-n", "\xff\x01é", "!h", "a'\\''b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsRune(s, 0) || len(s) > 60000 {
			t.Skip()
		}
		cmd := exec.Command("/bin/sh")
		cmd.Stdin = strings.NewReader("printf %s " + Quote(s) + "\nprintf %s x" + Quote(s) + "x\n")
		out, err := cmd.CombinedOutput()
		if err != nil || string(out) != s+"x"+s+"x" {
			t.Errorf("%q came back as %q, %v", s, out, err)
		}
	})
}

func TestSanitize(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain, ünïcödé 漢字 🙂":   "plain, ünïcödé 漢字 🙂",
		"line\nbreak\ttab":      "line\nbreak\ttab",
		"\x1b[31mred\x1b[0m\r":  `\x1b[31mred\x1b[0m\x0d`,
		"\x00\x7f\u0085\u009b":  `\x00\x7f\u0085\u009b`,
		"a\u202eb\u2066c\u200e": `a\u202eb\u2066c\u200e`,
		"\xff\xc3(":             `\xff\xc3(`,
		"�":                     "�",
		"\ufeff\U000e0041":      `\ufeff\U000e0041`,
		"\u2028":                `\u2028`,
	} {
		if got := Sanitize(in); got != want {
			t.Errorf("Sanitize(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzSanitize(f *testing.F) {
	f.Add("a\x1b[2J\u202e\xff\n")
	f.Fuzz(func(t *testing.T, s string) {
		got := Sanitize(s)
		if !utf8.ValidString(got) {
			t.Errorf("%q: not UTF-8", got)
		}
		for _, r := range got {
			if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
				t.Errorf("%q holds %U", got, r)
			}
		}
		if again := Sanitize(got); again != got {
			t.Errorf("%q becomes %q the second time", got, again)
		}
	})
}

// frameRun feeds a stream in pieces of the given sizes, in turn.
func frameRun(stream []byte, sizes []byte) (payload []byte, f *frame) {
	f = newFrame("N-1-BEGIN", "N-1-END", func(p []byte) { payload = append(payload, p...) })
	for i := 0; len(stream) > 0; i++ {
		n := len(stream)
		if len(sizes) > 0 {
			n = min(n, int(sizes[i%len(sizes)])+1)
		}
		f.feed(stream[:n])
		stream = stream[n:]
	}
	return payload, f
}

func TestFrame(t *testing.T) {
	t.Parallel()
	type outcome struct {
		Payload, Noise string
		Began, Ended   bool
		Status         int
	}
	for _, tt := range []struct {
		name, stream string
		want         outcome
	}{
		{"usual", "motd\n\nN-1-BEGIN\nout\n\nN-1-END 0\n", outcome{"out\n", "motd\n\n", true, true, 0}},
		{"no noise, no line break", "N-1-BEGIN\nout\nN-1-END 75\n", outcome{"out", "", true, true, 75}},
		{"empty", "N-1-BEGIN\n\nN-1-END 3\n", outcome{"", "", true, true, 3}},
		{"noise on the same line", "prompt> N-1-BEGIN\nx\nN-1-END 0\n", outcome{"x", "prompt> ", true, true, 0}},
		{"payload like a mark", "N-1-BEGIN\n\nN-1-EN\nN-2-END 0\n\nN-1-END 1\n", outcome{"\nN-1-EN\nN-2-END 0\n", "", true, true, 1}},
		{"an earlier script's end", "N-0-END 0\nN-1-BEGIN\nx\nN-1-END 2\n", outcome{"x", "N-0-END 0\n", true, true, 2}},
		{"after the end", "N-1-BEGIN\nx\nN-1-END 0\nlate child\n\nN-1-END 1\n", outcome{"x", "", true, true, 0}},
		{"no end", "N-1-BEGIN\nx\n", outcome{"x\n", "", true, false, 0}},
		{"half an end", "N-1-BEGIN\nx\nN-1-END 1", outcome{"x\nN-1-END 1", "", true, false, 0}},
		{"no begin", "command not found\n", outcome{"", "command not found\n", false, false, 0}},
		{"damaged status", "N-1-BEGIN\nx\nN-1-END abc\n", outcome{"x", "", true, true, -1}},
		{"status out of range", "N-1-BEGIN\nx\nN-1-END 300\n", outcome{"x", "", true, true, -1}},
		{"endless status", "N-1-BEGIN\nx\nN-1-END 00000000000000", outcome{"x", "", true, true, -1}},
	} {
		for _, sizes := range [][]byte{nil, {0}, {1}, {2, 6}} {
			payload, f := frameRun([]byte(tt.stream), sizes)
			var late []byte
			f.payload = func(p []byte) { late = append(late, p...) }
			f.flush()
			got := outcome{string(payload) + string(late), string(f.noise.bytes()), f.began, f.ended, f.status}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s in pieces of %v (-want +got):\n%s", tt.name, sizes, diff)
			}
		}
	}
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte("noise"), []byte("payload\nN-1-E"), byte(7), []byte{0, 3})
	f.Fuzz(func(t *testing.T, noise, want []byte, status byte, sizes []byte) {
		if bytes.Contains(noise, []byte("N-1-BEGIN")) || bytes.Contains(want, []byte("N-1-END")) {
			t.Skip()
		}
		stream := bytes.Join([][]byte{noise, []byte("\nN-1-BEGIN\n"), want, []byte("\nN-1-END "), []byte(itoa(status)), []byte("\nlate")}, nil)
		got, fr := frameRun(stream, sizes)
		if !bytes.Equal(got, want) || !fr.ended || fr.status != int(status) {
			t.Errorf("got %q, ended %v with %d, want %q with %d", got, fr.ended, fr.status, want, status)
		}
	})
}

func itoa(b byte) string {
	if b < 10 {
		return string('0' + rune(b))
	}
	return itoa(b/10) + itoa(b%10)
}

func FuzzKnownHosts(f *testing.F) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOEj7tfC8p5PVyQeRwHL1puh6d5nd230vG7U7+8RrE4X"
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(key))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("a,!b,[c]:2 "+key+" comment\n@revoked * "+key+"\n|1|YWJj|ZGVm "+key), "a", 2)
	f.Fuzz(func(t *testing.T, content []byte, host string, port int) {
		lines := parseKnownHosts("f", content, func(string, ...any) {})
		v := lines.verify(host, port, public)
		// A line that is left out may make a host unknown, never a good one.
		if v.status == hostOK && !bytes.Contains(content, []byte("AAAAC3NzaC1lZDI1NTE5AAAAIOEj7tfC8p5PVyQeRwHL1puh6d5nd230vG7U7+8RrE4X")) {
			t.Errorf("accepted a key that is not there")
		}
		_ = lines.preferredAlgorithms(knownName(host, port))
	})
}

func TestTailKeepsTheEnd(t *testing.T) {
	t.Parallel()
	for _, piece := range []int{1, 3, 7, 10, 64} {
		keep := tail{limit: 10}
		var all []byte
		for i := range 50 {
			p := bytes.Repeat([]byte{byte('a' + i%26)}, piece)
			keep.add(p)
			all = append(all, p...)
			if want := all[max(0, len(all)-10):]; !bytes.Equal(keep.bytes(), want) {
				t.Fatalf("pieces of %d: got %q, want %q", piece, keep.bytes(), want)
			}
			if cap(keep.buf) > 256 {
				t.Fatalf("pieces of %d: %d bytes held", piece, cap(keep.buf))
			}
		}
	}
}

func TestLongLinesAreCut(t *testing.T) {
	t.Parallel()
	var got []string
	l := &lines{tell: func(s string) { got = append(got, s) }}
	for range 100 {
		l.add(bytes.Repeat([]byte("x"), 1000))
	}
	l.add([]byte("\nnext\n"))
	if len(got) != 2 || len(got[0]) != lineLimit+3 || got[1] != "next" {
		t.Errorf("%d lines, the first of %d bytes", len(got), len(got[0]))
	}
}
