//go:build linux

package house

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Server is a running `happening serve`.
type Server struct {
	house *House
	cmd   *exec.Cmd
	log   string // the file that takes its output
	// Took is from the start of the process to the first "ready".
	Took   time.Duration
	Exited chan struct{} // closed when the process has ended
}

// Said is everything that the server has written so far.
func (s *Server) Said() string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		s.house.t.Errorf("the server's output: %v", err)
	}
	return string(text)
}

// Serve starts a server and waits until bookings are possible.
func (h *House) Serve(args ...string) *Server {
	h.t.Helper()
	began := time.Now()
	s := h.Launch(args...)
	c := NewClient(h.API)
	defer c.Close()
	ready := Looked(StartLimit, func() bool {
		select {
		case <-s.Exited:
			return true
		default:
			return c.Status("/readyz") == 200
		}
	})
	s.Took = time.Since(began)
	if !ready || s.Ended() {
		h.t.Fatalf("the server is not ready after %v:\n%s", s.Took, s.Said())
	}
	return s
}

// Launch starts a server and does not wait for it.
func (h *House) Launch(args ...string) *Server {
	h.t.Helper()
	s := &Server{house: h, cmd: h.Command(context.Background(), append([]string{"serve"}, args...)...), Exited: make(chan struct{})}
	// A file, because a pipe would make Wait wait for PostgreSQL, too, which
	// inherits it and outlives a killed server by a moment.
	out, err := os.CreateTemp(h.t.TempDir(), "server-*.log")
	if err != nil {
		h.t.Fatal(err)
	}
	defer out.Close()
	s.log = out.Name()
	s.cmd.Stdout, s.cmd.Stderr = out, out
	if err := s.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait() // told by ProcessState
		close(s.Exited)
	}()
	h.t.Cleanup(s.bury)
	return s
}

// bury ends what a test left running, and reads its last words: no server may
// ever have panicked or raced.
func (s *Server) bury() {
	if !s.Ended() {
		s.Signal(syscall.SIGINT)
		select {
		case <-s.Exited:
		case <-time.After(SettleLimit):
			s.house.t.Errorf("the server doesn't stop:\n%s", s.Said())
			s.Signal(syscall.SIGKILL)
			<-s.Exited
		}
	}
	said := s.Said()
	for _, word := range []string{"panic", "DATA RACE", "fatal error"} {
		if strings.Contains(said, word) {
			s.house.t.Errorf("the server's output has %q:\n%s", word, said)
		}
	}
	if s.house.t.Failed() {
		s.house.t.Logf("the server's output:\n%s", said)
	}
	if !Looked(SettleLimit, func() bool { return len(s.house.Processes()) == 0 }) {
		s.house.t.Errorf("after the server's end these still run: %v", s.house.Processes())
	}
}

// IsReady says whether bookings are possible.
func (s *Server) IsReady() bool {
	c := NewClient(s.house.API)
	defer c.Close()
	return c.Status("/readyz") == 200
}

// Ended says whether the process is gone.
func (s *Server) Ended() bool {
	select {
	case <-s.Exited:
		return true
	default:
		return false
	}
}

// Signal signals the server's process group, as a terminal does.
func (s *Server) Signal(sig syscall.Signal) {
	if err := syscall.Kill(-s.cmd.Process.Pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		s.house.t.Errorf("signal %v: %v", sig, err)
	}
}

// Kill ends the server as a lost machine would: nothing of it runs on.
func (s *Server) Kill() {
	s.house.t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		s.house.t.Fatal(err)
	}
	<-s.Exited
}

// Interrupt stops the server as Ctrl-C does and answers its exit status and
// how long the stop took.
func (s *Server) Interrupt() (status int, took time.Duration) {
	s.house.t.Helper()
	began := time.Now()
	s.Signal(syscall.SIGINT)
	select {
	case <-s.Exited:
	case <-time.After(SettleLimit):
		s.house.t.Fatalf("the server doesn't stop:\n%s", s.Said())
	}
	return s.cmd.ProcessState.ExitCode(), time.Since(began)
}
