package pgserver

import (
	"fmt"
	"maps"
	"slices"
)

const (
	mib = 1 << 20
	gib = 1 << 30
	// assumedMemory is what a machine is taken to have that doesn't tell.
	assumedMemory = 4 * gib

	sharedBuffersMin = 32 * mib
	sharedBuffersMax = 2 * gib
	// sharedBuffersShare is the part of the memory that PostgreSQL caches in;
	// the rest is for this process and the operating system's own cache.
	sharedBuffersShare = 8
	cacheShare         = 2
	maxConnections     = 200
)

// baseSettings are for a small machine that PostgreSQL shares with the process
// that it serves: many short transactions, few connections, full durability.
func baseSettings(memory uint64) map[string]string {
	buffers := min(max(memory/sharedBuffersShare, sharedBuffersMin), sharedBuffersMax)
	return map[string]string{
		// An acknowledged booking survives everything.
		"fsync":              "on",
		"synchronous_commit": "on",
		"full_page_writes":   "on",

		// Nobody outside of this machine, and on it only PostgreSQL's user.
		"listen_addresses":        "",
		"port":                    fmt.Sprint(socketPort),
		"unix_socket_permissions": "0700",
		"max_connections":         fmt.Sprint(maxConnections),

		"shared_buffers":       fmt.Sprintf("%dMB", buffers/mib),
		"effective_cache_size": fmt.Sprintf("%dMB", memory/cacheShare/mib),
		"huge_pages":           "try",
		"work_mem":             "8MB",
		"maintenance_work_mem": "128MB",
		"random_page_cost":     "1.1",
		"jit":                  "off",
		// Two cores have nothing to spread over, and parallel workers need
		// /dev/shm, of which containers have little.
		"max_parallel_workers_per_gather": "0",
		"track_io_timing":                 "off",

		"wal_buffers":                  "16MB",
		"min_wal_size":                 "256MB",
		"max_wal_size":                 "4GB",
		"checkpoint_completion_target": "0.9",

		"timezone":     "UTC",
		"log_timezone": "UTC",
		// The supervisor keeps the log, and bounds it.
		"logging_collector": "off",
		"log_destination":   "stderr",
		"log_line_prefix":   "%m [%p] %q%u ",
		// What the server does is logged, a statement that failed is not: its
		// caller knows, and its text and details may be about people.
		"log_min_messages":        "log",
		"log_min_error_statement": "panic",
		"log_error_verbosity":     "terse",
	}
}

// arguments turns settings into a command line, in a fixed order; a later map
// wins over an earlier one.
func arguments(layers ...map[string]string) []string {
	all := map[string]string{}
	for _, layer := range layers {
		maps.Copy(all, layer)
	}
	var args []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		args = append(args, "-c", name+"="+all[name])
	}
	return args
}
