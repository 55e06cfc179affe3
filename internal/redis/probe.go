package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

const (
	// minVersion is the oldest major version that has all that scripts use.
	minVersion = 7
	// probeTimeout bounds the questions to one server.
	probeTimeout = 5 * time.Second
	// listenFor is how long a subscription is tried.
	listenFor = 200 * time.Millisecond
	// probeChannel is like those that live messages go through.
	probeChannel = "happening.probe"
)

// probing gathers what is wrong with the servers of one address.
type probing struct {
	settings         Settings
	faults, warnings []error
}

func (p *probing) fault(format string, args ...any) {
	p.add(&p.faults, fmt.Errorf("REDIS_URL: "+format, args...))
}

func (p *probing) warn(format string, args ...any) {
	p.add(&p.warnings, fmt.Errorf("REDIS_URL: "+format, args...))
}

func (p *probing) add(to *[]error, line error) {
	for _, known := range *to {
		if known.Error() == line.Error() {
			return
		}
	}
	*to = append(*to, line)
}

// Probe looks a Redis over before anything starts and tells all that is wrong,
// each in a line that names the setting and how to mend it, never a password.
// A warning is something that works, but not for good. No key is left behind.
func Probe(ctx context.Context, redisURL string) (warning, err error) {
	settings, err := ParseURL(redisURL)
	if err != nil {
		return nil, err
	}
	p := &probing{settings: settings}
	switch settings.Mode {
	case Single:
		p.server(ctx, settings.Addresses[0])
	case Cluster:
		p.cluster(ctx)
	case Sentinel:
		p.sentinels(ctx)
	}
	return errors.Join(p.warnings...), errors.Join(p.faults...)
}

// connect reaches one server, or tells why it can't.
func (p *probing) connect(address string, o rueidis.ClientOption) rueidis.Client {
	o.InitAddress, o.ForceSingleClient, o.Sentinel = []string{address}, true, rueidis.SentinelOption{}
	c, err := rueidis.NewClient(o)
	if err == nil {
		return c
	}
	text := plain(err)
	var dns *net.DNSError
	switch {
	case strings.Contains(text, "WRONGPASS"), strings.Contains(text, "invalid password"):
		p.fault("%s knows no such user and password; correct USER:PASSWORD@, both URL-encoded", address)
	case strings.Contains(text, "NOAUTH"):
		p.fault("%s wants a password; write USER:PASSWORD@ before the address", address)
	case strings.Contains(text, "DENIED"):
		p.fault("%s lets nobody in from other machines while it has no password; set one there (requirepass) and here", address)
	case strings.Contains(text, "NOPERM"):
		p.fault("%s lets the user do too little to connect; grant +hello +client +select", address)
	case strings.Contains(text, "LOADING"):
		p.fault("%s is still loading its data; start again when it is done", address)
	case strings.Contains(text, "out of range"):
		p.fault("%s has no database %d; choose a smaller number, or raise \"databases\" there", address, p.settings.DB)
	case strings.Contains(text, "SELECT is not allowed in cluster mode"):
		p.fault("%s belongs to a cluster, which has database 0 only; leave /%d out and add ?cluster=true", address, p.settings.DB)
	case errors.As(err, &dns):
		p.fault("the name in %s can't be found; correct the address", address)
	case p.settings.TLS != nil && (errors.Is(err, context.DeadlineExceeded) || strings.Contains(text, "does not look like a TLS")):
		p.fault("%s speaks no TLS, or does not answer; write redis:// instead of rediss:// if it is plain", address)
	case strings.Contains(text, "certificate"), strings.Contains(text, "x509"):
		p.fault("%s shows a certificate that is not trusted (%s); have it signed by a known authority, or name yours in SSL_CERT_FILE", address, text)
	case strings.Contains(text, "refused"):
		p.fault("nobody listens at %s; start Redis there, or correct the address", address)
	case p.settings.TLS == nil && (strings.Contains(text, "EOF") || strings.Contains(text, "reset")):
		p.fault("%s hangs up; if it speaks TLS, write rediss:// instead of redis://", address)
	default:
		p.fault("%s does not answer (%s); see whether Redis is up and a firewall lets us through", address, text)
	}
	return nil
}

// server looks at one server that should serve by itself.
func (p *probing) server(ctx context.Context, address string) {
	c := p.connect(address, p.settings.options())
	if c == nil {
		return
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	info, ok := p.info(ctx, c, address)
	if ok && info["cluster_enabled"] == "1" {
		p.fault("%s belongs to a cluster; name several of its servers, separated by commas, or add ?cluster=true", address)
		return
	}
	if ok && p.master(info, address) {
		p.rights(ctx, c, address)
	}
}

// info reads what a server tells of itself.
func (p *probing) info(ctx context.Context, c rueidis.Client, address string) (map[string]string, bool) {
	text, err := c.Do(ctx, c.B().Info().Build()).ToString()
	if err != nil {
		if strings.Contains(err.Error(), "NOPERM") {
			p.fault("the user may not ask %s for INFO, by which a failover is noticed; grant +info", address)
		} else {
			p.fault("%s does not answer (%s)", address, plain(err))
		}
		return nil, false
	}
	info := fieldsOf(text)
	version := info["redis_version"]
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < minVersion {
		p.fault("%s is Redis %s; %d or newer is needed", address, version, minVersion)
		return info, false
	}
	if info["loading"] == "1" {
		p.fault("%s is still loading its data; start again when it is done", address)
		return info, false
	}
	if policy := info["maxmemory_policy"]; policy != "" && policy != "noeviction" && info["maxmemory"] != "0" {
		p.warn("%s throws keys away when its memory is full (maxmemory-policy %s), and holds with them; set noeviction there", address, policy)
	}
	return info, true
}

func (p *probing) master(info map[string]string, address string) bool {
	if info["role"] == "master" {
		return true
	}
	p.fault("%s is a replica and takes no writes; name its master (%s:%s)", address, info["master_host"], info["master_port"])
	return false
}

// sentinels asks each sentinel for the master and looks at that.
func (p *probing) sentinels(ctx context.Context) {
	masters := map[string]bool{}
	for _, address := range p.settings.Addresses {
		o := p.settings.options()
		o.Username, o.Password, o.SelectDB = p.settings.SentinelUser, p.settings.SentinelPassword, 0
		c := p.connect(address, o)
		if c == nil {
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, probeTimeout)
		master, err := c.Do(bounded, c.B().SentinelGetMasterAddrByName().Master(p.settings.MasterSet).Build()).AsStrSlice()
		cancel()
		c.Close()
		switch {
		case rueidis.IsRedisNil(err) || err == nil && len(master) != 2:
			p.fault("the sentinel at %s watches no %q; correct master_set", address, p.settings.MasterSet)
		case err != nil && strings.Contains(err.Error(), "unknown command"):
			p.fault("%s is no sentinel; name the sentinels' addresses, or leave master_set out", address)
		case err != nil:
			p.fault("the sentinel at %s does not answer (%s)", address, plain(err))
		default:
			masters[net.JoinHostPort(master[0], master[1])] = true
		}
	}
	for master := range masters {
		p.server(ctx, master)
	}
}

// cluster looks at every address named, and at the whole through the first
// that answers.
func (p *probing) cluster(ctx context.Context) {
	whole, reached := false, 0
	for _, address := range p.settings.Addresses {
		c := p.connect(address, p.settings.options())
		if c == nil {
			continue
		}
		reached++
		bounded, cancel := context.WithTimeout(ctx, probeTimeout)
		info, ok := p.info(bounded, c, address)
		if ok && info["cluster_enabled"] != "1" {
			p.fault("%s belongs to no cluster; name one address only, or master_set where the others are sentinels", address)
			ok = false
		}
		if ok && !whole {
			whole = p.slots(bounded, c, address)
		}
		cancel()
		c.Close()
	}
	if len(p.faults) > 0 && reached < len(p.settings.Addresses) && whole {
		// Some addresses are dead, and the cluster does without them.
		p.warnings, p.faults = append(p.warnings, p.faults...), nil
	}
	if !whole || len(p.faults) > 0 {
		return
	}
	c, err := rueidis.NewClient(p.settings.options())
	if err != nil {
		p.fault("the cluster can't be used (%s); see that we reach its servers at the addresses that they tell each other", plain(err))
		return
	}
	defer c.Close()
	bounded, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	p.rights(bounded, c, "the cluster")
}

func (p *probing) slots(ctx context.Context, c rueidis.Client, address string) bool {
	text, err := c.Do(ctx, c.B().ClusterInfo().Build()).ToString()
	switch {
	case err != nil && strings.Contains(err.Error(), "NOPERM"):
		p.fault("the user may not ask %s for CLUSTER INFO and CLUSTER SLOTS; grant +cluster", address)
		return false
	case err != nil:
		p.fault("%s does not answer (%s)", address, plain(err))
		return false
	case !strings.Contains(text, "cluster_state:ok"), !strings.Contains(text, allSlots):
		p.fault("the cluster at %s serves only part of its slots; see CLUSTER INFO there", address)
		return false
	}
	return true
}

// probed are keys like all of ours.
var probed = []string{
	"event:{probe}:live", "booking:{probe}:probe", "holding:probe", "listening:probe", "limit:probe", dueKey, pulseKey, probeChannel,
}

// commands are what our scripts and those of live messages call, on a key of
// which nothing is left, but those that need no trial of their own.
const commands = `
local refused = {}
for _, command in ipairs({
  {'TIME'}, {'HSET', KEYS[1], 'a', 1}, {'HSETNX', KEYS[1], 'a', 1}, {'HGET', KEYS[1], 'a'}, {'HMGET', KEYS[1], 'a'},
  {'HGETALL', KEYS[1]}, {'HLEN', KEYS[1]}, {'HINCRBY', KEYS[1], 'a', 1}, {'HDEL', KEYS[1], 'a'}, {'EXISTS', KEYS[1]},
  {'ZADD', KEYS[1], 1, 'a'}, {'ZRANGE', KEYS[1], 0, 0}, {'ZRANGEBYSCORE', KEYS[1], 0, 0}, {'ZCARD', KEYS[1]},
  {'ZSCORE', KEYS[1], 'a'}, {'ZCOUNT', KEYS[1], 0, 0}, {'ZREMRANGEBYRANK', KEYS[1], 5, 6},
  {'ZREMRANGEBYSCORE', KEYS[1], 5, 6}, {'ZREM', KEYS[1], 'a'},
  {'RPUSH', KEYS[1], 'a', 'a', 'a'}, {'LLEN', KEYS[1]}, {'LRANGE', KEYS[1], 0, 0}, {'LPOS', KEYS[1], 'a'},
  {'LREM', KEYS[1], 1, 'a'}, {'LPOP', KEYS[1]}, {'RENAME', KEYS[1], KEYS[2]}, {'UNLINK', KEYS[2]},
  {'SET', KEYS[1], 1, 'PX', 1000}, {'GET', KEYS[1]}, {'INCRBY', KEYS[1], 1}, {'DECRBY', KEYS[1], 1},
  {'PEXPIRE', KEYS[1], 1000}, {'PTTL', KEYS[1]}, {'INFO', 'server'}, {'DEL', KEYS[1]},
}) do
  local answer = redis.pcall(unpack(command))
  if type(answer) == 'table' and answer.err and (string.find(answer.err, 'NOPERM') or string.find(answer.err, "can't run this command")) then
    refused[#refused + 1] = '+' .. string.lower(command[1])
  end
end
return refused`

// trace is a write of which nothing is left: a full disk or memory and missing
// replicas only show then, whatever the user may do.
const trace = `redis.call('SET', KEYS[1], 1, 'PX', 1000) return redis.call('DEL', KEYS[1])`

// rights tries all that will be done later, and tells what is not allowed.
func (p *probing) rights(ctx context.Context, c rueidis.Client, address string) {
	var keys []string
	for _, key := range probed {
		err := c.Do(ctx, c.B().Eval().Script("return 1").Numkeys(1).Key(key).Build()).Error()
		if err == nil {
			continue
		}
		switch text := plain(err); {
		case strings.Contains(text, "NOPERM") && strings.Contains(text, "key"):
			pattern, _, _ := strings.Cut(key, ":")
			if key == probeChannel {
				pattern, _, _ = strings.Cut(key, ".")
			}
			keys = append(keys, "~"+pattern+"*")
		case strings.Contains(text, "NOPERM"):
			p.fault("the user may run no scripts at %s; grant +eval +evalsha", address)
			return
		default:
			p.fault("%s refuses to work (%s)", address, text)
			return
		}
	}
	if len(keys) > 0 {
		slices.Sort(keys)
		p.fault("the user may not use all of our keys at %s; grant %s", address, strings.Join(slices.Compact(keys), " "))
		return
	}
	if err := c.Do(ctx, c.B().Evalsha().Sha1(viewScript.sha).Numkeys(0).Build()).Error(); err != nil && strings.Contains(err.Error(), "NOPERM") {
		p.fault("the user may run no kept scripts at %s; grant +evalsha", address)
	}
	one, two := "event:{probe}:a", "event:{probe}:b"
	refused, err := c.Do(ctx, c.B().Eval().Script(commands).Numkeys(2).Key(one, two).Build()).AsStrSlice()
	switch {
	case err != nil:
		p.fault("%s refuses to work (%s)", address, plain(err))
	case len(refused) > 0:
		p.fault("the user may not do all that is needed at %s; grant %s", address, strings.Join(refused, " "))
	}
	if err := c.Do(ctx, c.B().Eval().Script(trace).Numkeys(1).Key(one).Build()).Error(); err != nil {
		p.fault("%s takes no writes (%s)", address, plain(err))
	}
	p.channels(ctx, c, address)
}

// channels tries to listen and to publish, as live messages are.
func (p *probing) channels(ctx context.Context, c rueidis.Client, address string) {
	bounded, cancel := context.WithTimeout(ctx, listenFor)
	defer cancel()
	err := c.Receive(bounded, c.B().Subscribe().Channel(probeChannel).Build(), func(rueidis.PubSubMessage) {})
	if err == nil || !strings.Contains(err.Error(), "NOPERM") {
		err = c.Do(ctx, c.B().Publish().Channel(probeChannel).Message("").Build()).Error()
	}
	if err != nil && strings.Contains(err.Error(), "NOPERM") {
		p.fault("the user may not publish and subscribe at %s; grant +@pubsub &happening*", address)
	}
}
