package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
)

// handlerArgument makes this program the trivial handler.
const handlerArgument = "trivial-handler"

// maxTrivialBody bounds what the trivial handler reads.
const maxTrivialBody = 64 << 10 // bytes

type trivialRequest struct {
	EventID string `json:"event_id"`
	Seats   int    `json:"seats"`
	OnFull  string `json:"on_full"`
}

type trivialAnswer struct {
	ID          string  `json:"id"`
	EventID     string  `json:"event_id"`
	UserID      string  `json:"user_id"`
	Status      string  `json:"status"`
	Seats       int     `json:"seats"`
	SeatNumbers []int32 `json:"seat_numbers"`
	CreatedAt   string  `json:"created_at"`
}

// trivialSeats is a map as the server gives it out.
type trivialSeats struct {
	Version        string `json:"version"`
	TotalSlots     int    `json:"total_slots"`
	AvailableSlots int    `json:"available_slots"`
	States         string `json:"states"`
	Live           bool   `json:"live"`
}

// trivialHandler is the least that a Go program can do with a booking: read
// JSON, write JSON; and with a map: write JSON of the same size.
func trivialHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /bookings", func(w http.ResponseWriter, r *http.Request) {
		var q trivialRequest
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxTrivialBody)).Decode(&q); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		// The connection's failure is the client's to notice.
		_ = json.NewEncoder(w).Encode(trivialAnswer{
			ID: q.EventID, EventID: q.EventID, UserID: q.EventID, Status: "confirmed", Seats: q.Seats,
			SeatNumbers: []int32{1, 2, 3, 4}[:max(0, min(q.Seats, 4))], CreatedAt: "2026-01-01T00:00:00Z",
		})
	})
	states := base64.StdEncoding.EncodeToString(make([]byte, mapSeats*bitsASeat/8))
	mux.HandleFunc("GET /events/{id}/seats", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(trivialSeats{
			Version: r.PathValue("id"), TotalSlots: mapSeats, AvailableSlots: mapSeats, States: states, Live: true,
		})
	})
	return mux
}

// serveHandler serves until stdin ends, so that it never outlives its parent,
// and tells its address.
func serveHandler(stdin io.Reader, stdout io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(stdout, l.Addr()); err != nil {
		return err
	}
	s := &http.Server{Handler: trivialHandler()}
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		_ = s.Close()
	}()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// handlerProcess is the trivial handler in a process of its own.
type handlerProcess struct {
	addr  string
	cmd   *exec.Cmd
	stdin io.Closer
}

func startHandler(ctx context.Context) (*handlerProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	h := &handlerProcess{cmd: exec.CommandContext(ctx, self, handlerArgument)}
	h.cmd.Stderr = os.Stderr
	if h.stdin, err = h.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the trivial handler told no address: %w", err), h.stop())
	}
	h.addr = strings.TrimSpace(line)
	return h, nil
}

func (h *handlerProcess) pid() int { return h.cmd.Process.Pid }

func (h *handlerProcess) stop() error { return errors.Join(h.stdin.Close(), h.cmd.Wait()) }
