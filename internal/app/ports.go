package app

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// listeners are the sockets, nil for parts that don't run, bound before anything else is started, so
// that a taken port leaves nothing half-started.
type listeners struct{ client, api, ops net.Listener }

// bind takes the ports of the parts that run, or none; every port that is taken is told in a
// line of its own.
func bind(o *Options) (l listeners, err error) {
	var faults []error
	for _, want := range []struct {
		into    *net.Listener
		addr    string
		setting string
		wanted  bool
	}{
		{&l.client, o.ClientAddr, "HAPPENING_CLIENT_ADDR", o.runs(PartWeb)},
		{&l.api, o.APIAddr, "HAPPENING_API_ADDR", o.runs(PartAPI)},
		{&l.ops, o.OpsAddr, "HAPPENING_OPS_ADDR", true},
	} {
		if !want.wanted {
			continue
		}
		ln, err := net.Listen("tcp", want.addr)
		if err != nil {
			if errors.Is(err, syscall.EADDRINUSE) {
				err = fmt.Errorf("%s is taken%s; choose another with %s", want.addr, holderOf(want.addr), want.setting)
			} else {
				err = fmt.Errorf("%s (%s): %w", want.addr, want.setting, err)
			}
			faults = append(faults, err)
			continue
		}
		*want.into = ln
	}
	if len(faults) > 0 {
		l.close()
		return listeners{}, errors.Join(faults...)
	}
	return l, nil
}

func (l *listeners) close() {
	for _, ln := range []net.Listener{l.client, l.api, l.ops} {
		if ln != nil {
			_ = ln.Close()
		}
	}
}

// holderOf tells which process listens on the port, where /proc knows:
// " by happening (pid 42)", else nothing.
func holderOf(addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return ""
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return ""
	}
	inodes := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for _, line := range strings.Split(string(text), "\n") {
			// sl local_address rem_address st … inode: the tenth field.
			f := strings.Fields(line)
			const listening = "0A"
			if len(f) > 9 && f[3] == listening && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", number)) {
				inodes["socket:["+f[9]+"]"] = true
			}
		}
	}
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil && inodes[target] {
			pid := strings.Split(fd, "/")[2]
			name, _ := os.ReadFile("/proc/" + pid + "/comm")
			return fmt.Sprintf(" by %s (pid %s)", strings.TrimSpace(string(name)), pid)
		}
	}
	return ""
}
