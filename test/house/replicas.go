//go:build linux

package house

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Replicas are several servers on the engines of one house, behind a balancer.
type Replicas struct {
	// House is where commands run and where the balancer answers: its client,
	// API and public address are the balancer's.
	House    *House
	Balancer *Balancer
	All      []*Replica
	t        *testing.T
}

// Replica is one of the servers; its house has ports and a data directory of
// its own and the engines of all.
type Replica struct {
	*House
	*Server
	Name string
	args []string
	of   *Replicas
}

// NewReplicas prepares a house whose engines several servers share and starts
// none. change may alter the settings that all of them get.
func NewReplicas(t *testing.T, change func(env map[string]string)) *Replicas {
	t.Helper()
	h := New(t)
	b := NewBalancer(t)
	h.Client, h.API = b.Client, b.API
	_, port, err := net.SplitHostPort(b.Client)
	if err != nil {
		t.Fatal(err)
	}
	h.Env["HAPPENING_PUBLIC_URL"] = "http://localhost:" + port
	// Ten looks of the balancer.
	h.Env["HAPPENING_DRAIN"] = "1s"
	if change != nil {
		change(h.Env)
	}
	return &Replicas{House: h, Balancer: b, t: t}
}

// Prepare makes the next replica's house; nothing runs in it yet.
func (r *Replicas) Prepare(args ...string) *Replica {
	r.t.Helper()
	dir, err := os.MkdirTemp("", "happening-replica-")
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			r.t.Error(err)
		}
	})
	own := &House{t: r.t, Dir: dir, Data: filepath.Join(dir, "data"), Binary: r.House.Binary, Env: maps.Clone(r.House.Env)}
	own.ChoosePorts()
	own.Env["HAPPENING_PUBLIC_URL"] = r.House.PublicURL()
	return &Replica{House: own, Name: fmt.Sprint("replica ", len(r.All)+1), args: args, of: r}
}

// Start starts one more replica, with serve's arguments, and waits until the
// balancer sends requests to it.
func (r *Replicas) Start(args ...string) *Replica {
	r.t.Helper()
	p := r.Prepare(args...)
	r.All = append(r.All, p)
	r.Balancer.Add(p.Name, p.House.Client, p.House.API)
	p.Restart()
	return p
}

// StartMany starts several replicas one after the other.
func (r *Replicas) StartMany(n int, args ...string) {
	r.t.Helper()
	for range n {
		r.Start(args...)
	}
}

// Worker starts a replica that serves nobody.
func (r *Replicas) Worker() *Replica {
	r.t.Helper()
	p := r.Prepare("--only", "worker")
	p.Name = "worker"
	p.Relaunch()
	return p
}

// Relaunch starts the replica's server where it served before and does not
// wait for it.
func (p *Replica) Relaunch() {
	p.of.t.Helper()
	p.Server = p.House.Launch(p.args...)
}

// Restart starts the replica's server, again or for the first time, and waits
// until the balancer sends requests to it.
func (p *Replica) Restart() {
	p.of.t.Helper()
	p.Server = p.House.Serve(p.args...)
	Await(p.of.t, p.Name+" gets requests", SettleLimit, func() bool { return p.of.Balancer.Ready(p.Name) })
}

// Terminate stops the replica as whoever rolls out a new version does, and
// waits for its end.
func (p *Replica) Terminate() {
	p.of.t.Helper()
	p.Signal(syscall.SIGTERM)
	Await(p.of.t, p.Name+" stops", SettleLimit, p.Ended)
	if status := p.cmd.ProcessState.ExitCode(); status != 0 {
		p.of.t.Errorf("%s ended with status %d:\n%s", p.Name, status, p.Said())
	}
}

// Freeze stops the replica's process as a hypervisor may; Thaw lets it go on.
func (p *Replica) Freeze() { p.Signal(syscall.SIGSTOP) }

// Thaw: see Freeze.
func (p *Replica) Thaw() { p.Signal(syscall.SIGCONT) }

// PID is the process of the replica's server.
func (p *Replica) PID() int { return p.cmd.Process.Pid }
