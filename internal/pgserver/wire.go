package pgserver

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// plan is what the parent tells the supervisor, before anything else on its
// standard input.
type plan struct {
	// Dir is the directory that belongs to PostgreSQL's user.
	Dir       string
	Bin       string
	SocketDir string
	Settings  map[string]string
	// Resume says that this server has run before and is to be brought back,
	// with patience.
	Resume bool
	// Patience is how long restarts may fail on end.
	Patience time.Duration
}

// planMax bounds the plan's line.
const planMax = 1 << 20

func readPlan(r *bufio.Reader) (plan, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return plan{}, fmt.Errorf("reading the plan: %w", err)
	}
	var p plan
	if err := json.Unmarshal(line, &p); err != nil {
		return plan{}, fmt.Errorf("reading the plan: %w", err)
	}
	return p, nil
}

func (p plan) send(w io.Writer) error { return json.NewEncoder(w).Encode(p) }

// report is what the supervisor tells the parent, a line of JSON each.
type report struct {
	Kind reportKind
	// Text says why, for people.
	Text string `json:",omitempty"`
	PID  int    `json:",omitempty"`
}

type reportKind string

const (
	reportReady reportKind = "ready" // PostgreSQL accepts connections
	reportDown  reportKind = "down"  // it ended unasked and is being restarted
	reportNote  reportKind = "note"  // worth a line in the log
	// reportFailed is the last: it can't be started.
	reportFailed reportKind = "failed"
)

// childEnv is the environment of PostgreSQL and its supervisor. Ours stays
// here: it may hold the secrets of other engines, and variables such as PGDATA
// or LANG would change what is done.
func childEnv() []string {
	env := []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	// Where programs were put by hand, these may be needed to load them.
	for _, name := range []string{"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// reports decodes the supervisor's lines until its end.
func reports(r io.Reader, each func(report)) error {
	dec := json.NewDecoder(r)
	for {
		var rep report
		if err := dec.Decode(&rep); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		each(rep)
	}
}
