package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is the other end of a command's terminal: what a person sees and types.
type terminal struct {
	t    *testing.T
	side *os.File
	seen string // since the last look
}

// startOnTerminal starts a command on a terminal of its own.
func startOnTerminal(t *testing.T, c *exec.Cmd) *terminal {
	t.Helper()
	side, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("SKIPPED: no pseudo-terminals: %v", err)
	}
	t.Cleanup(func() { side.Close() })
	if err := unix.IoctlSetPointerInt(int(side.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(side.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(side.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	c.Env = append(c.Env, "TERM=xterm")
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return &terminal{t: t, side: side}
}

func (x *terminal) types(keys string) {
	x.t.Helper()
	if _, err := x.side.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}

// shows waits until the terminal shows a text.
func (x *terminal) shows(want string) {
	x.t.Helper()
	b := make([]byte, 4096)
	for start := time.Now(); !strings.Contains(x.seen, want); {
		if time.Since(start) > time.Minute {
			x.t.Fatalf("the terminal shows %q, not yet %q", x.seen, want)
		}
		n, err := unix.Read(int(x.side.Fd()), b)
		if err != nil {
			x.t.Fatalf("the terminal shows %q, and then %v; want %q", x.seen, err, want)
		}
		x.seen += string(b[:n])
	}
	_, x.seen, _ = strings.Cut(x.seen, want)
}

// breaks presses Ctrl-C at a prompt, once a key that is shown says that keys are
// being read: what is pressed before that is a signal.
func (x *terminal) breaks() {
	x.t.Helper()
	x.types("#")
	x.shows("#")
	x.types("\x7f\x03")
}

// TestChatTerminal has a person chat: edit a line, take one back from the
// history, stop an answer, and leave with Ctrl-C.
func TestChatTerminal(t *testing.T) {
	f := newFolder(t)
	c := f.command("chat", "--device", "cpu")
	x := startOnTerminal(t, c)
	x.shows("/exit leaves.")
	x.shows(prompt)
	x.types("What is the capital of Frence?")
	x.types("\x1b[D\x1b[D\x1b[D\x1b[D\x7fa\r") // four to the left, the e away, an a for it
	x.shows("The capital of France is Paris.\r\n")
	x.shows(prompt)
	x.types("\x1b[A\r") // the last line once more
	x.shows("The capital of France is Paris.\r\n")
	x.shows(prompt)
	x.types("/h\t\r")
	x.shows("forget all but the system message")
	x.shows(prompt)
	x.types("What is \\\r")
	x.shows(furtherLines)
	x.breaks()
	x.shows("once more leaves")
	x.shows(prompt)
	x.types(question + "\r")
	x.shows("Paris.\r\n")
	x.shows(prompt)
	x.breaks()
	x.shows("once more leaves")
	x.shows(prompt)
	x.breaks()
	if err := c.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
	f.holds()
}

// TestChatTerminalStop stops an answer by the key.
func TestChatTerminalStop(t *testing.T) {
	f := newFolder(t)
	c := f.command(append([]string{"chat"}, f.endless()...)...)
	x := startOnTerminal(t, c)
	x.shows(prompt)
	x.types(question + "\r")
	x.shows("Paris.")
	x.types("\x03")
	x.shows("realm: stopped\r\n")
	x.shows(prompt)
	x.types("\x04")
	if err := c.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
}
