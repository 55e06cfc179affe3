package httpapi

import (
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// mailboxPath is where operators read the development mailbox.
const mailboxPath = "/mailbox"

// newOps puts together what operators see. It asks for no credential: it must
// be reachable from loopback only, which the wiring sees to. A page of another
// site whose name was made to lead here (DNS rebinding) would reach it from the
// operator's own browser, so it must be called by a name of ours.
func (s *Server) newOps() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if ok, reason := s.deps.Ready(); !ok {
			plain(w, http.StatusServiceUnavailable, reason)
			return
		}
		plain(w, http.StatusOK, "ready")
	})
	index := "Happening " + s.deps.Version + ", for operators\n\n/metrics\n/readyz\n/healthz\n/debug/pprof/"
	if s.deps.Engines != nil {
		s.metrics.registry.MustRegister(newEngineGauge(s.deps.Engines))
		mux.HandleFunc("GET /engines", s.showEngines)
		index += "\n/engines"
	}
	if s.deps.Mailbox != nil {
		mux.Handle(mailboxPath, s.deps.Mailbox)
		mux.Handle(mailboxPath+"/", s.deps.Mailbox)
		index += "\n" + mailboxPath
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, index) })
	ours := opsHosts(s.deps.OpsAddr)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["X-Content-Type-Options"] = noSniff
		h["Referrer-Policy"] = sameOrigin
		h["Cache-Control"] = noStore
		if !ours(r.Host) {
			plain(w, http.StatusForbidden, "Operators' pages answer to localhost and the address of HAPPENING_OPS_ADDR only.")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// opsHosts says by which Host header operators' pages may be called: this
// machine's loopback names and addresses, and the host that they listen on.
// Where that is every address of the machine, any address will do, since a
// rebound page comes by its name.
func opsHosts(listen string) func(header string) bool {
	own := hostOf(listen)
	bound, err := netip.ParseAddr(own)
	everywhere := listen != "" && own == "" || err == nil && bound.IsUnspecified()
	return func(header string) bool {
		host := strings.TrimSuffix(hostOf(header), ".")
		if addr, err := netip.ParseAddr(host); err == nil && (everywhere || addr.Unmap().IsLoopback()) {
			return true
		}
		return host == "localhost" || strings.HasSuffix(host, ".localhost") || host != "" && host == own
	}
}

// hostOf gives the host of "host:port" or of a host alone, in lower case.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	return strings.ToLower(host)
}

// Metrics is where other rooms register what they count.
func (s *Server) Metrics() prometheus.Registerer { return s.metrics.registry }

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}
