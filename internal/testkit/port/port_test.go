//go:build unix

package port

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// takerEnv tells a copy of the test's program to take as many ports and say
// which, until its input ends.
const takerEnv = "HAPPENING_TEST_PORTS"

func TestMain(m *testing.M) {
	if n, err := strconv.Atoi(os.Getenv(takerEnv)); err == nil {
		for range n {
			fmt.Println(Take())
		}
		_, _ = os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Nobody is given a port that somebody else has, in this process or another,
// though nobody listens on it yet; and none on which somebody listens.
func TestPortsAreOnesOwn(t *testing.T) {
	const each = 200
	seen := map[int]bool{}
	first := Of(t)
	seen[first] = true
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), fmt.Sprintf("%s=%d", takerEnv, each))
	in, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	note := func(n int) {
		t.Helper()
		if n < lowest || n >= end || seen[n] {
			t.Errorf("port %d is given, or given again", n)
		}
		seen[n] = true
	}
	for range each {
		var n int
		var said string
		if _, err := fmt.Fscan(out, &n, &said); err != nil || !strings.Contains(said, "nil") {
			t.Fatal(n, said, err)
		}
		note(n)
	}
	for range each {
		note(Of(t))
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := other.Wait(); err != nil {
		t.Error(err)
	}
	ln, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", first))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	Release(first)
	for range each {
		if n := Of(t); n == first {
			t.Error("a port is given on which somebody listens")
		}
	}
}
