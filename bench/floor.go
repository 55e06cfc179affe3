package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// The floor is the least that a durable booking could be: one row inserted and
// committed. It is written into a database of its own in the same cluster, so
// that it shares the log, the disk and all settings, and nothing else.
const (
	floorDatabase = "bench_floor"
	floorTable    = `CREATE TABLE booking (
		id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		user_id bigint NOT NULL,
		seats   int NOT NULL,
		at      timestamptz NOT NULL DEFAULT now())`
	floorScript  = "\\set user random(1, 200000)\nINSERT INTO booking (user_id, seats) VALUES (:user, 2);\n"
	floorInsert  = "INSERT INTO booking (user_id, seats) VALUES ($1, 2)"
	floorThreads = "2"
	// spareConnections are left to the server, its jobs and an operator.
	spareConnections = 30
)

// floorClients are the numbers of clients that are tried; the best counts.
var floorClients = []int{32, 64, 128}

// floor is one measurement of the floor.
type floor struct {
	When    string  `json:"when"` // beside what it was measured
	Tool    string  `json:"tool"`
	Clients int     `json:"clients"`
	Rate    float64 `json:"inserts_per_second"`
}

// commit is what one durable commit takes a lone client.
type commit struct {
	P50 time.Duration `json:"p50_ns"`
	P99 time.Duration `json:"p99_ns"`
}

// floors measures the floor with every number of clients that the server has
// connections for.
func (r *runner) floors(ctx context.Context, when string) error {
	db, err := openFloor(ctx, r.world.first().ownerURL)
	if err != nil {
		return fmt.Errorf("floor: %w", err)
	}
	clients := fitting(floorClients, db.free)
	if clients[len(clients)-1] < floorClients[len(floorClients)-1] {
		r.report.note(fmt.Sprintf("PostgreSQL allows %d connections, so the floor was measured with at most %d clients instead of %d.",
			db.maxConnections, clients[len(clients)-1], floorClients[len(floorClients)-1]))
	}
	for _, n := range clients {
		say("floor %s, %s, %d clients, %v", when, db.tool, n, r.floorTime())
		rate, err := db.measure(ctx, n, r.floorTime())
		if err != nil {
			return fmt.Errorf("floor: %w", err)
		}
		r.report.Floors = append(r.report.Floors, floor{When: when, Tool: db.tool, Clients: n, Rate: rate})
	}
	return nil
}

// fitting gives the wanted numbers of clients that are free, and instead of
// the first that is not, all that are.
func fitting(wanted []int, free int) []int {
	var clients []int
	for _, n := range wanted {
		if n > free {
			return append(clients, max(free, 1))
		}
		clients = append(clients, n)
	}
	return clients
}

type floorBase struct {
	url            string
	pgbench        string // empty: the stand-in in Go
	tool           string
	maxConnections int
	free           int
}

// openFloor makes the database and the table where they are missing, and looks
// for pgbench beside the server's own programs.
func openFloor(ctx context.Context, ownerURL string) (*floorBase, error) {
	conn, err := pgx.Connect(ctx, ownerURL)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	f := &floorBase{tool: "a stand-in for pgbench in Go"}
	var exists bool
	var bin string
	if err := conn.QueryRow(ctx, `
		SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1),
		       current_setting('max_connections')::int,
		       coalesce((SELECT setting FROM pg_config() WHERE name = 'BINDIR'), '')`, floorDatabase).
		Scan(&exists, &f.maxConnections, &bin); err != nil {
		return nil, err
	}
	f.free = f.maxConnections - spareConnections
	if f.url, err = withDatabase(ownerURL, floorDatabase); err != nil {
		return nil, err
	}
	if path := filepath.Join(bin, "pgbench"); bin != "" {
		if _, err := os.Stat(path); err == nil {
			f.pgbench, f.tool = path, "pgbench"
		}
	}
	if exists {
		return f, nil
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+floorDatabase); err != nil {
		return nil, err
	}
	return f, f.exec(ctx, floorTable)
}

func (f *floorBase) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, f.url)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
}

// withDatabase points a connection URL at another database.
func withDatabase(address, database string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	u.Path = "/" + database
	return u.String(), nil
}

// measure gives inserts a second.
func (f *floorBase) measure(ctx context.Context, clients int, d time.Duration) (float64, error) {
	if f.pgbench == "" {
		all, err := insertLoop(ctx, f.url, clients, d)
		return float64(len(all)) / d.Seconds(), err
	}
	script, err := os.CreateTemp("", "happening-bench-*.sql")
	if err != nil {
		return 0, err
	}
	defer os.Remove(script.Name())
	if _, err := script.WriteString(floorScript); err != nil {
		return 0, errors.Join(err, script.Close())
	}
	if err := script.Close(); err != nil {
		return 0, err
	}
	seconds := strconv.Itoa(int(d.Seconds()))
	cmd := exec.CommandContext(ctx, f.pgbench, "-n", "-M", "prepared", "-c", strconv.Itoa(clients), "-j", floorThreads,
		"-T", seconds, "-f", script.Name(), f.url)
	text, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("pgbench: %w: %.500s", err, text)
	}
	return parsePgbench(string(text))
}

var pgbenchRate = regexp.MustCompile(`(?m)^tps = ([0-9.]+)`)

// parsePgbench reads the rate, which is without the time to connect.
func parsePgbench(text string) (float64, error) {
	found := pgbenchRate.FindStringSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("pgbench told no rate: %.500s", text)
	}
	return strconv.ParseFloat(found[1], 64)
}

// insertLoop runs pgbench's statement in a closed loop of its own.
func insertLoop(ctx context.Context, url string, clients int, d time.Duration) (latencies, error) {
	all := make([]latencies, clients)
	faults := make([]error, clients)
	var ready, running sync.WaitGroup
	ready.Add(clients)
	begin := make(chan struct{})
	for i := range clients {
		running.Go(func() {
			conn, err := pgx.Connect(ctx, url)
			ready.Done()
			if err != nil {
				faults[i] = err
				return
			}
			defer conn.Close(context.WithoutCancel(ctx))
			<-begin
			end := time.Now().Add(d)
			for sent := time.Now(); sent.Before(end); {
				if _, faults[i] = conn.Exec(ctx, floorInsert, len(all[i])); faults[i] != nil {
					return
				}
				now := time.Now()
				all[i] = append(all[i], now.Sub(sent))
				sent = now
			}
		})
	}
	ready.Wait()
	close(begin)
	running.Wait()
	var together latencies
	for _, l := range all {
		together = append(together, l...)
	}
	return together.sorted(), errors.Join(faults...)
}

// commitFloor measures one client that inserts one row at a time.
func commitFloor(ctx context.Context, ownerURL string, d time.Duration) (commit, error) {
	db, err := openFloor(ctx, ownerURL)
	if err != nil {
		return commit{}, err
	}
	all, err := insertLoop(ctx, db.url, 1, d)
	return commit{P50: all.percentile(50), P99: all.percentile(99)}, err
}
