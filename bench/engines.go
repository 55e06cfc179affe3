package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/redis/rueidis"
)

// Patience with engines.
const (
	engineStart = 90 * time.Second
	enginePoll  = 50 * time.Millisecond
	engineStop  = 30 * time.Second
	// engineConnections is enough for several servers and who looks at them.
	engineConnections = 300
)

// engines are a PostgreSQL, a Redis and a RabbitMQ of the run's own on
// loopback, so that nothing of anybody else's is touched or measured.
type engines struct {
	dir      string
	postgres *program
	redis    *program
	rabbitmq *program // nil: not installed
	epmd     *program
	// Addresses without database, host:port.
	postgresAddr, redisAddr, amqpAddr string
	made                              int // databases
}

// program is an engine's process.
type program struct {
	name  string
	cmd   *exec.Cmd
	log   *os.File
	ended chan struct{}
}

// plan is what the PostgreSQL outside has in common with the embedded one.
type plan struct {
	bin      string              // where its programs are
	account  *syscall.Credential // who runs it; nil: we
	settings map[string]string
}

// planOf reads how the embedded PostgreSQL runs, so that the one outside
// differs in nothing but where it is.
func planOf(ctx context.Context, s *server) (p plan, err error) {
	conn, err := pgx.Connect(ctx, s.ownerURL)
	if err != nil {
		return p, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var data string
	if err := conn.QueryRow(ctx, `SELECT setting, current_setting('data_directory') FROM pg_config() WHERE name = 'BINDIR'`).
		Scan(&p.bin, &data); err != nil {
		return p, err
	}
	if _, err := os.Stat(filepath.Join(p.bin, "initdb")); err != nil {
		return p, fmt.Errorf("the embedded PostgreSQL's programs are not where it says they are: %w", err)
	}
	info, err := os.Stat(data)
	if err != nil {
		return p, err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != os.Geteuid() {
		p.account = &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}
	}
	rows, err := conn.Query(ctx, `
		SELECT name, current_setting(name) FROM pg_settings
		WHERE source = 'command line' AND context <> 'internal'
		  AND name NOT IN ('data_directory', 'config_file', 'hba_file', 'ident_file', 'external_pid_file', 'listen_addresses', 'port')
		  AND name NOT LIKE 'unix\_socket%'`)
	if err != nil {
		return p, err
	}
	p.settings = map[string]string{}
	var name, value string
	_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error {
		p.settings[name] = value
		return nil
	})
	return p, err
}

// startEngines starts all that are installed. Nothing is left behind where
// that fails.
func startEngines(ctx context.Context, o options, p plan) (*engines, error) {
	dir, err := os.MkdirTemp(cmp.Or(o.data, dataBase()), "happening-bench-")
	if err != nil {
		return nil, err
	}
	e := &engines{dir: dir}
	say("starting PostgreSQL, Redis and RabbitMQ, data in %s", dir)
	err = os.Chmod(dir, 0o755) // PostgreSQL's user passes through
	for _, start := range []func(context.Context) error{
		func(ctx context.Context) error { return e.startPostgres(ctx, p) }, e.startRedis, e.startRabbitMQ,
	} {
		if err == nil {
			err = start(ctx)
		}
	}
	if err != nil {
		return nil, errors.Join(err, e.stop())
	}
	return e, nil
}

// start runs a program until stop, in a process group of its own, so that an
// interrupt of the run lets it live until its users have stopped.
func (e *engines) start(name string, cmd *exec.Cmd) (*program, error) {
	log, err := os.Create(filepath.Join(e.dir, name+".log"))
	if err != nil {
		return nil, err
	}
	cmd.Dir, cmd.Stdout, cmd.Stderr = e.dir, log, log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), log.Close())
	}
	p := &program{name: name, cmd: cmd, log: log, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended is told by its log
		close(p.ended)
	}()
	return p, nil
}

// await asks until the program answers.
func (p *program) await(ctx context.Context, answers func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, engineStart)
	defer cancel()
	poll := time.NewTicker(enginePoll)
	defer poll.Stop()
	for {
		err := answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-poll.C:
		case <-p.ended:
			text, _ := os.ReadFile(p.log.Name())
			return fmt.Errorf("%s ended at its start: %s", p.name, bytes.TrimSpace(text))
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", p.name, err)
		}
	}
}

// stop ends a program; hard says that nothing in it is worth an orderly end.
func (p *program) stop(ask syscall.Signal) error {
	if p == nil {
		return nil
	}
	select {
	case <-p.ended:
		return p.log.Close()
	default:
	}
	fault := p.cmd.Process.Signal(ask)
	patience := time.NewTimer(engineStop)
	defer patience.Stop()
	select {
	case <-p.ended:
	case <-patience.C:
		fault = fmt.Errorf("%s didn't stop within %v and was killed", p.name, engineStop)
	}
	// Helpers of the program end with its group.
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.ended
	return errors.Join(fault, p.log.Close())
}

// stop ends all engines and removes their data.
func (e *engines) stop() error {
	return errors.Join(e.rabbitmq.stop(syscall.SIGTERM), e.epmd.stop(syscall.SIGTERM), e.redis.stop(syscall.SIGTERM),
		e.postgres.stop(syscall.SIGINT), os.RemoveAll(e.dir))
}

func (e *engines) startPostgres(ctx context.Context, p plan) error {
	addrs, err := freeAddrs(1)
	if err != nil {
		return err
	}
	e.postgresAddr = addrs[0]
	_, port, err := net.SplitHostPort(addrs[0])
	if err != nil {
		return err
	}
	data := filepath.Join(e.dir, "postgres")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	attributes := &syscall.SysProcAttr{Credential: p.account}
	if p.account != nil {
		if err := os.Chown(data, int(p.account.Uid), int(p.account.Gid)); err != nil {
			return err
		}
	}
	// Trust is for the run's own loopback, as is the superuser; the log's files
	// are of the embedded one's size.
	initdb := exec.CommandContext(ctx, filepath.Join(p.bin, "initdb"), "-D", data, "-U", "bench", "-A", "trust", "--locale=C.UTF-8", "-E", "UTF8", "--wal-segsize=4")
	initdb.Dir, initdb.SysProcAttr = e.dir, attributes
	if text, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(text))
	}
	args := []string{"-D", data}
	for name, value := range p.settings {
		args = append(args, "-c", name+"="+value)
	}
	args = append(args, "-c", "listen_addresses=127.0.0.1", "-c", "port="+port, "-c", "unix_socket_directories=",
		"-c", fmt.Sprintf("max_connections=%d", engineConnections))
	cmd := exec.Command(filepath.Join(p.bin, "postgres"), args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.account}
	if e.postgres, err = e.start("postgres", cmd); err != nil {
		return err
	}
	return e.postgres.await(ctx, func(ctx context.Context) error { return e.administer(ctx, "SELECT 1") })
}

// administer runs one statement as the superuser.
func (e *engines) administer(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, "postgres://bench@"+e.postgresAddr+"/postgres?sslmode=disable")
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, sql)
	return err
}

func (e *engines) startRedis(ctx context.Context) error {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return errors.New("redis-server is not installed; install the package redis-server")
	}
	addrs, err := freeAddrs(1)
	if err != nil {
		return err
	}
	e.redisAddr = addrs[0]
	_, port, err := net.SplitHostPort(addrs[0])
	if err != nil {
		return err
	}
	if e.redis, err = e.start("redis", exec.Command(path, "--bind", "127.0.0.1", "--port", port, "--dir", e.dir,
		"--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction")); err != nil {
		return err
	}
	return e.redis.await(ctx, func(context.Context) error {
		c, err := e.redisClient()
		if err == nil {
			c.Close()
		}
		return err
	})
}

func (e *engines) redisClient() (rueidis.Client, error) {
	return rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{e.redisAddr}, ForceSingleClient: true, DisableCache: true})
}

// startRabbitMQ starts a node with a name service of its own. A machine
// without RabbitMQ measures the rest.
func (e *engines) startRabbitMQ(ctx context.Context) error {
	// The script of the PATH may change to a user of its own.
	found, _ := filepath.Glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server") // well-formed
	epmd, err := exec.LookPath("epmd")
	if len(found) == 0 || err != nil {
		return nil
	}
	addrs, err := freeAddrs(3)
	if err != nil {
		return err
	}
	e.amqpAddr = addrs[0]
	var ports []string
	for _, addr := range addrs {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			return err
		}
		ports = append(ports, port)
	}
	home := filepath.Join(e.dir, "rabbitmq")
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"rabbitmq.conf": "listeners.tcp.1 = " + e.amqpAddr + "\n", "plugins": "[].", "env.conf": "",
	} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	if e.epmd, err = e.start("epmd", exec.Command(epmd, "-port", ports[2], "-address", "127.0.0.1")); err != nil {
		return err
	}
	cmd := exec.Command(found[len(found)-1])
	cmd.Env = append(os.Environ(),
		"HOME="+home, "RABBITMQ_NODENAME=happening-bench@localhost",
		"RABBITMQ_DIST_PORT="+ports[1], "ERL_EPMD_PORT="+ports[2], "ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_CONF_ENV_FILE="+filepath.Join(home, "env.conf"), "RABBITMQ_CONFIG_FILE="+filepath.Join(home, "rabbitmq"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(home, "plugins"),
		"RABBITMQ_MNESIA_BASE="+filepath.Join(home, "data"), "RABBITMQ_LOG_BASE="+filepath.Join(home, "log"),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
		// The script becomes the node, so that signals reach it.
		"RABBITMQ_ALLOW_INPUT=1", "RABBITMQ_SERVER_START_ARGS=-noinput",
	)
	if e.rabbitmq, err = e.start("rabbitmq", cmd); err != nil {
		return err
	}
	return e.rabbitmq.await(ctx, func(context.Context) error {
		conn, err := amqp.DialConfig(e.amqpURL(), amqp.Config{Dial: amqp.DefaultDial(time.Second)})
		if err == nil {
			err = conn.Close()
		}
		return err
	})
}

func (e *engines) amqpURL() string { return "amqp://guest:guest@" + e.amqpAddr + "/" }

// surroundings makes a fresh database and names the engines; messages says
// that RabbitMQ is among them.
func (e *engines) surroundings(ctx context.Context, messages bool) (in surroundings, err error) {
	c, err := e.redisClient()
	if err != nil {
		return in, err
	}
	err = c.Do(ctx, c.B().Flushall().Build()).Error()
	c.Close()
	if err != nil {
		return in, err
	}
	e.made++
	name := fmt.Sprintf("happening_%d", e.made)
	if err := e.administer(ctx, "CREATE DATABASE "+name); err != nil {
		return in, err
	}
	address := url.URL{Scheme: "postgres", User: url.User("bench"), Host: e.postgresAddr, Path: "/" + name, RawQuery: "sslmode=disable"}
	in.engines = []string{"DATABASE_URL=" + address.String(), "REDIS_URL=redis://" + e.redisAddr}
	if messages && e.rabbitmq != nil {
		in.engines = append(in.engines, "AMQP_URL="+e.amqpURL())
	}
	return in, nil
}

// watched are the engines' processes.
func (e *engines) watched() watched {
	w := watched{postgres: []int{e.postgres.cmd.Process.Pid}, redis: []int{e.redis.cmd.Process.Pid}}
	if e.rabbitmq != nil {
		w.rabbitmq = []int{e.rabbitmq.cmd.Process.Pid, e.epmd.cmd.Process.Pid}
	}
	return w
}

// versions tells what the engines are.
func (e *engines) versions(ctx context.Context) map[string]string {
	all := map[string]string{}
	if c, err := e.redisClient(); err == nil {
		text, _ := c.Do(ctx, c.B().Info().Section("server").Build()).ToString()
		all["Redis"] = infoOf(text)["redis_version"]
		c.Close()
	}
	if e.rabbitmq != nil {
		if conn, err := amqp.Dial(e.amqpURL()); err == nil {
			all["RabbitMQ"], _ = conn.Properties["version"].(string)
			_ = conn.Close() // nothing is lost with it
		}
	}
	return all
}

// infoOf reads what Redis tells of itself.
func infoOf(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info
}
