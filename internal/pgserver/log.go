package pgserver

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	logFileMax  = 8 << 20
	logFilesOld = 3
	logLineMax  = 8 << 10
	// logTail is how many of the last lines explain a failed start.
	logTail = 8
	// logSettle is how long a dead server's last lines may take to arrive:
	// processes that it leaves behind hold the pipe's other end open.
	logSettle = 500 * time.Millisecond
)

// serverLog keeps what PostgreSQL writes: in a file with a bounded number of
// predecessors (log.1 is the youngest), and the last lines in memory. Faults of
// the disk never stop the server that is logged about.
type serverLog struct {
	path string

	mu   sync.Mutex
	file *os.File
	size int64
	tail []string
}

func (l *serverLog) write(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tail = append(l.tail, line); len(l.tail) > logTail {
		l.tail = l.tail[1:]
	}
	if l.file == nil || l.size >= logFileMax {
		if err := l.reopen(); err != nil {
			return
		}
	}
	n, err := l.file.WriteString(line + "\n")
	l.size += int64(n)
	if err != nil && n == 0 {
		l.file.Close()
		l.file = nil
	}
}

// reopen appends to the newest file, or moves all of them on if it is full.
func (l *serverLog) reopen() error {
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
	if info, err := os.Stat(l.path); err == nil && info.Size() >= logFileMax {
		names := []string{l.path}
		for i := 1; i <= logFilesOld; i++ {
			names = append(names, l.path+"."+string(rune('0'+i)))
		}
		for i := logFilesOld; i > 0; i-- {
			if err := os.Rename(names[i-1], names[i]); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	l.file, l.size = f, info.Size()
	return nil
}

// follow logs what comes until the pipe's end; then done is closed.
func (l *serverLog) follow(pipe io.ReadCloser) (done <-chan struct{}) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer pipe.Close()
		r := bufio.NewReaderSize(pipe, logLineMax)
		for {
			// A longer line is logged in pieces.
			line, _, err := r.ReadLine()
			if err != nil {
				return
			}
			l.write(string(line))
		}
	}()
	return ended
}

// last answers the last lines, which say why a start failed.
func (l *serverLog) last(done <-chan struct{}) string {
	t := time.NewTimer(logSettle)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.tail, "\n")
}

func (l *serverLog) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = nil
}

func (l *serverLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}
