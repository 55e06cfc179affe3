// Package pgserver runs a real PostgreSQL for a machine that has none set up.
//
// The process that needs a database (the parent) finds PostgreSQL's programs,
// locks the data directory and starts its own executable once more as a
// supervisor, which starts and watches PostgreSQL:
//
//	happening (any user, often root)            the parent: Start, Stop, Attach
//	   │  stdin: the plan, one line of JSON; its end means "stop"
//	   │  stdout: what happened, a line of JSON each
//	   ▼
//	happening-postgres-supervisor               unprivileged, a process group of its own
//	   │  SIGINT = fast shutdown, SIGQUIT = immediate; Pdeathsig SIGINT
//	   ▼
//	postgres                                    a process group of its own, Unix socket only
//
// The middle process is there for three things that the parent can't do. It
// may give up root, which PostgreSQL insists on. It outlives a kill -9 of the
// parent for just as long as it takes to shut PostgreSQL down in an orderly
// way, because a pipe's end closes whatever its holder died of. And it is
// deaf to the terminal's Ctrl-C, so that requests in flight can be finished
// before the database goes.
//
// Whoever dies is brought back: postgres by the supervisor, the supervisor by
// the parent. Server.Done closes only when that failed for a long time.
//
// What lies in the data directory:
//
//	postgres.lock         flock of the running parent, holding its process id
//	postgres.json         which programs wrote this data, so that they are used again
//	postgres-bin/         programs taken over from an npm package
//	postgres/             owned by PostgreSQL's user, closed to everyone else
//	  supervisor.lock     flock of the running supervisor
//	  cluster/            PostgreSQL's own data directory
//	  cluster.new/        a cluster that is being made; renamed when complete
//	  socket/             the Unix socket, where its path is short enough
//	  log/                the server's log, bounded in size
//
// Data are never deleted and never converted: programs of another major
// version are refused. Durability is never traded away: fsync, full_page_writes
// and synchronous_commit stand on the command line, above any file.
package pgserver
