// Command screenshot runs a program on a terminal and draws what the terminal showed as one SVG: the
// screen once it showed each of the given words, and the last screen.
//
//	screenshot -o FILE [-when WORDS]... -- PROGRAM [ARGUMENT...]
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
)

const (
	columns = 104
	rows    = 26
)

type words []string

func (w *words) String() string     { return strings.Join(*w, ", ") }
func (w *words) Set(s string) error { *w = append(*w, s); return nil }

func main() {
	var when words
	out := flag.String("o", "", "the picture")
	flag.Var(&when, "when", "draw the screen once it shows these words")
	flag.Parse()
	if *out == "" || flag.NArg() == 0 {
		flag.Usage()
		os.Exit(3)
	}
	screens, err := record(flag.Args(), when)
	if err == nil {
		err = os.WriteFile(*out, []byte(draw(screens)), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "screenshot:", err)
		os.Exit(1)
	}
}

// record runs the program and returns the screens that were asked for, in order, and the last one.
func record(command []string, when words) ([]screen, error) {
	cmd := exec.Command(command[0], command[1:]...)
	for _, v := range os.Environ() { // a terminal of a person, wherever this runs
		if name, _, _ := strings.Cut(v, "="); name != "CI" && name != "GITHUB_ACTIONS" && name != "NO_COLOR" && name != "TERM" {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "TERM=xterm-256color")
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: columns, Rows: rows})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	terminal := vt.NewEmulator(columns, rows)
	go io.Copy(io.Discard, terminal) // what it would answer
	var screens []screen
	buf := make([]byte, 1<<14)
	for {
		n, readErr := f.Read(buf)
		// Piece by piece, so that no screen is missed.
		for _, piece := range strings.SplitAfter(string(buf[:n]), "\n") {
			if _, err := terminal.WriteString(piece); err != nil {
				return nil, err
			}
			if len(when) > 0 {
				if s := look(terminal); strings.Contains(s.text(), when[0]) {
					screens, when = append(screens, s), when[1:]
				}
			}
		}
		if readErr != nil { // the end of the program
			break
		}
	}
	screens = append(screens, look(terminal))
	if err := cmd.Wait(); err != nil {
		return nil, err
	}
	if len(when) > 0 {
		return nil, errors.New("never shown: " + when.String())
	}
	return screens, nil
}
