package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// onTerminal runs a command whose three streams are one terminal, with an answer already typed. What
// the terminal shows becomes stdout.
func onTerminal(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) >= 3, "terminal ANSWER CODE COMMAND...")
	screen, tty, err := openTerminal()
	ts.Check(err)
	defer screen.Close()
	_, err = io.WriteString(screen, args[0]+"\n")
	ts.Check(err)
	cmd := exec.Command(args[2], args[3:]...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	cmd.Env = []string{"TERM=xterm"}
	for _, name := range []string{"HOME", "PATH", "TMPDIR", "NO_COLOR", "PROVISION_INVENTORY", "DIGITALOCEAN_API_URL", "DIGITALOCEAN_TOKEN"} {
		if v := ts.Getenv(name); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	err = cmd.Start()
	tty.Close()
	ts.Check(err)
	shown, _ := io.ReadAll(screen) // ends with an error when the last process has let the terminal go
	err = cmd.Wait()
	fmt.Fprint(ts.Stdout(), strings.ReplaceAll(string(shown), "\r\n", "\n"))
	wantCode(ts, args[1], args[2:], err)
}

func openTerminal() (screen, tty *os.File, err error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	screen = os.NewFile(uintptr(fd), "/dev/ptmx")
	number, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		screen.Close()
	}
	return screen, tty, err
}
