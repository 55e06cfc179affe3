package httpapi

import (
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// mailboxPath is where operators read the development mailbox.
const mailboxPath = "/mailbox"

// newOps puts together what operators see. It asks for no credential: it must
// be reachable from loopback only, which the wiring sees to.
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
	if s.deps.Mailbox != nil {
		mux.Handle(mailboxPath, s.deps.Mailbox)
		mux.Handle(mailboxPath+"/", s.deps.Mailbox)
		index += "\n" + mailboxPath
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, index) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["X-Content-Type-Options"] = noSniff
		h["Referrer-Policy"] = sameOrigin
		h["Cache-Control"] = noStore
		mux.ServeHTTP(w, r)
	})
}

// Metrics is where other rooms register what they count.
func (s *Server) Metrics() prometheus.Registerer { return s.metrics.registry }

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}
