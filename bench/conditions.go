package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/jackc/pgx/v5"
)

// conditions are what a figure depends on.
type conditions struct {
	CPU        string            `json:"cpu"`
	Cores      int               `json:"cores"`
	System     string            `json:"system"`
	FileSystem string            `json:"file_system"`
	Go         string            `json:"go"`
	Version    string            `json:"version"`
	Revision   string            `json:"revision"`
	PostgreSQL string            `json:"postgresql"`
	Settings   map[string]string `json:"settings"`
	Engines    map[string]string `json:"engines,omitempty"` // versions of those outside
}

// tellingSettings are PostgreSQL's that a figure may be doubted for.
var tellingSettings = []string{
	"commit_delay", "fsync", "full_page_writes", "max_connections", "max_wal_size", "shared_buffers",
	"synchronous_commit", "wal_compression", "wal_level", "wal_sync_method",
}

func conditionsOf(ctx context.Context, s *server) (c conditions, err error) {
	c = conditions{
		CPU: cpuModel(), Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH,
		FileSystem: fileSystem(s.dir), Go: runtime.Version(), Settings: map[string]string{},
	}
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		c.System += " " + strings.TrimSpace(string(kernel))
	}
	if revision, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=12").Output(); err == nil {
		c.Revision = strings.TrimSpace(string(revision))
	}
	version, err := s.command(ctx, "version")
	if err != nil {
		return c, err
	}
	c.Version = strings.TrimSpace(version)
	conn, err := pgx.Connect(ctx, s.ownerURL)
	if err != nil {
		return c, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := conn.QueryRow(ctx, "SELECT current_setting('server_version')").Scan(&c.PostgreSQL); err != nil {
		return c, err
	}
	rows, err := conn.Query(ctx, "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY($1)", tellingSettings)
	if err != nil {
		return c, err
	}
	var name, value string
	_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error {
		c.Settings[name] = value
		return nil
	})
	return c, err
}

func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// fileSystem tells what the data lies on: on tmpfs durability is free.
func fileSystem(dir string) string {
	text, err := exec.Command("df", "-PT", filepath.Clean(dir)).Output()
	if err != nil {
		return "unknown"
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	const device, kind = 0, 1
	if f := strings.Fields(lines[len(lines)-1]); len(lines) > 1 && len(f) > kind {
		return f[kind] + " on " + f[device]
	}
	return "unknown"
}

// loadAverage is the system's, as it tells it.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	const averages = 3
	f := strings.Fields(string(text))
	return strings.Join(f[:min(averages, len(f))], " ")
}
