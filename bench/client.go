package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// Limits of an answer that the client is ready to read.
const (
	maxHeaderLine = 16 << 10 // bytes
	maxHeaders    = 100
	maxAnswer     = 1 << 20 // bytes of body
	dialTimeout   = 5 * time.Second
)

// conn is one keep-alive connection that speaks just enough HTTP/1.1 to send
// prepared requests and to read answers whole. It exists because the generator
// shares its cores with what it measures, and net/http's client costs as much
// as the server that it asks.
type conn struct {
	addr    string
	nc      net.Conn
	wire    counter // between nc and reader
	reader  *bufio.Reader
	answer  answer
	expires time.Time
}

// answer is one response; its body is valid until the next one is read.
type answer struct {
	status int
	body   []byte // as it came, so compressed where the server did that
	etag   []byte // empty: none
	wire   int    // bytes of all of it, headers too
	last   bool   // the server closes the connection after it
}

// counter counts what comes over a connection. Every answer is read whole
// before the next request is sent, so that what came meanwhile was its.
type counter struct {
	net.Conn
	n int
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.n += n
	return n, err
}

var errAnswer = errors.New("not an HTTP answer")

// open connects where that is needed. No request outlives expires.
func (c *conn) open(ctx context.Context) error {
	if c.nc != nil {
		return nil
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	nc, err := dialer.DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return err
	}
	if err := nc.SetDeadline(c.expires); err != nil {
		return errors.Join(err, nc.Close())
	}
	c.nc = nc
	if c.reader == nil {
		c.reader = bufio.NewReaderSize(nil, maxHeaderLine)
	}
	c.wire = counter{Conn: nc}
	c.reader.Reset(&c.wire)
	return nil
}

func (c *conn) close() {
	if c.nc != nil {
		_ = c.nc.Close() // nothing is lost with it: every answer was read whole
		c.nc = nil
	}
}

// do sends a whole request and reads the answer to it. After an error the
// connection is closed, and the outcome of the request is unknown.
func (c *conn) do(ctx context.Context, request []byte) (*answer, error) {
	if err := c.open(ctx); err != nil {
		return nil, err
	}
	if _, err := c.nc.Write(request); err != nil {
		c.close()
		return nil, err
	}
	before := c.wire.n
	if err := c.answer.read(c.reader); err != nil {
		c.close()
		return nil, err
	}
	c.answer.wire = c.wire.n - before
	if c.answer.last {
		c.close()
	}
	return &c.answer, nil
}

// read takes one answer off the wire, skipping interim ones.
func (a *answer) read(r *bufio.Reader) error {
	for {
		if err := a.readOne(r); err != nil {
			return err
		}
		if a.status >= 200 {
			return nil
		}
	}
}

var (
	headerLength   = []byte("content-length")
	headerEncoding = []byte("transfer-encoding")
	headerConn     = []byte("connection")
	headerTag      = []byte("etag")
)

func (a *answer) readOne(r *bufio.Reader) error {
	line, err := readLine(r)
	if err != nil {
		return err
	}
	// HTTP/1.1 201 Created
	const version, code = len("HTTP/1."), len("HTTP/1.1 ")
	if len(line) < code+3 || string(line[:version]) != "HTTP/1." || line[code-1] != ' ' {
		return fmt.Errorf("%w: %.40q", errAnswer, line)
	}
	a.status = 0
	for _, digit := range line[code : code+3] {
		if digit < '0' || digit > '9' {
			return fmt.Errorf("%w: %.40q", errAnswer, line)
		}
		a.status = a.status*10 + int(digit-'0')
	}
	if a.status < 100 {
		return fmt.Errorf("%w: status %d", errAnswer, a.status)
	}
	a.last = line[version] == '0'
	a.body, a.etag = a.body[:0], a.etag[:0]
	length, chunked := -1, false
	for n := 0; ; n++ {
		if n > maxHeaders {
			return fmt.Errorf("%w: more than %d headers", errAnswer, maxHeaders)
		}
		if line, err = readLine(r); err != nil {
			return err
		}
		if len(line) == 0 {
			break
		}
		name, value, ok := bytes.Cut(line, []byte{':'})
		if !ok {
			return fmt.Errorf("%w: header %.40q", errAnswer, line)
		}
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, headerLength):
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 || length > maxAnswer {
				return fmt.Errorf("%w: length %.40q", errAnswer, value)
			}
		case bytes.EqualFold(name, headerEncoding):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		case bytes.EqualFold(name, headerConn):
			a.last = a.last || bytes.EqualFold(value, []byte("close"))
		case bytes.EqualFold(name, headerTag):
			a.etag = append(a.etag[:0], value...)
		}
	}
	switch {
	case a.status < 200 || a.status == 204 || a.status == 304:
		return nil
	case chunked:
		return a.readChunks(r)
	case length < 0:
		return fmt.Errorf("%w: a body without length", errAnswer)
	}
	return a.readBody(r, length)
}

// readLine reads a line without its end; it is valid until the next read.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, fmt.Errorf("%w: a line of more than %d bytes", errAnswer, maxHeaderLine)
		}
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte{'\r'}), nil
}

// readBody appends n bytes to the body.
func (a *answer) readBody(r *bufio.Reader, n int) error {
	have := len(a.body)
	if have+n > maxAnswer {
		return fmt.Errorf("%w: more than %d bytes", errAnswer, maxAnswer)
	}
	if cap(a.body) < have+n {
		a.body = append(make([]byte, 0, 2*(have+n)), a.body...)
	}
	a.body = a.body[:have+n]
	_, err := io.ReadFull(r, a.body[have:])
	return err
}

func (a *answer) readChunks(r *bufio.Reader) error {
	for {
		line, err := readLine(r)
		if err != nil {
			return err
		}
		size, _, _ := bytes.Cut(line, []byte{';'})
		n, err := strconv.ParseUint(string(bytes.TrimSpace(size)), 16, 31)
		if err != nil {
			return fmt.Errorf("%w: chunk of %.40q", errAnswer, line)
		}
		if n == 0 {
			return skipTrailer(r)
		}
		if err := a.readBody(r, int(n)); err != nil {
			return err
		}
		if line, err = readLine(r); err != nil {
			return err
		} else if len(line) != 0 {
			return fmt.Errorf("%w: a chunk that doesn't end", errAnswer)
		}
	}
}

func skipTrailer(r *bufio.Reader) error {
	for range maxHeaders {
		line, err := readLine(r)
		if err != nil || len(line) == 0 {
			return err
		}
	}
	return fmt.Errorf("%w: more than %d trailers", errAnswer, maxHeaders)
}
