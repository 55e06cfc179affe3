package httpapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"

	"happening/internal/fault"
)

// How long browsers keep the client's files.
const (
	// Files under assets carry a hash of their content in their name.
	cacheAsset = "public, max-age=31536000, immutable"
	cacheFile  = "public, max-age=3600"
	cachePage  = "no-cache"
)

const indexFile = "index.html"

// asset is a file of the client, ready to be sent.
type asset struct {
	contentType, cache, tag string
	plain                   []byte
	zipped, brotli          []byte // nil: not there
}

// site is the client's files and the page into which they are loaded.
type site struct {
	server *Server
	assets map[string]*asset // by path without the first slash
	index  *shell            // nil: the client was not built
	policy []string
}

// newClient puts together what the client's port serves.
func (s *Server) newClient(public *url.URL) (http.Handler, error) {
	c := &site{server: s, assets: map[string]*asset{}, policy: []string{clientPolicy(public)}}
	if s.deps.Client != nil {
		if err := c.load(s.deps.Client); err != nil {
			return nil, err
		}
	}
	api := http.StripPrefix("/api", s.api)
	mux := http.NewServeMux()
	mux.HandleFunc("/api", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/api/", http.StatusPermanentRedirect)
	})
	if s.deps.IDP != nil {
		mux.Handle("/idp/", s.pages(s.deps.IDP))
	}
	mux.Handle("/auth/", s.api)
	mux.Handle(socketPath, s.api)
	mux.Handle("/", c)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Here and not only behind the router, which tidies paths by redirecting
		// and so answers by itself; the API doesn't.
		s.secure(w.Header(), apiPolicy)
		if strings.HasPrefix(r.URL.Path, "/api/") {
			api.ServeHTTP(w, r)
			return
		}
		forPages(w.Header())
		mux.ServeHTTP(w, r)
	}), nil
}

// clientPolicy lets the client load what the binary carries and talk to where
// it came from. The websocket's origin is named beside 'self' for browsers that
// don't count it in.
func clientPolicy(public *url.URL) string {
	socket := "ws://" + public.Host
	if public.Scheme == "https" {
		socket = "wss://" + public.Host
	}
	return "default-src 'self'; img-src 'self' data:; connect-src 'self' " + socket +
		"; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
}

// load reads all of the client's files, which lie in the binary anyway, and
// compresses what gains from it.
func (c *site) load(files fs.FS) error {
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(path.Base(name), ".") || strings.HasSuffix(name, ".gz") || strings.HasSuffix(name, ".br") {
			return err
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		if name == indexFile {
			c.index = newShell(content)
			return nil
		}
		c.assets[name], err = newAsset(files, name, content)
		return err
	})
	if err != nil {
		return fmt.Errorf("httpapi: client: %w", err)
	}
	return nil
}

func newAsset(files fs.FS, name string, content []byte) (*asset, error) {
	a := &asset{contentType: mime.TypeByExtension(path.Ext(name)), cache: cacheFile, plain: content, tag: contentTag(content)}
	switch path.Ext(name) {
	case ".js", ".mjs":
		a.contentType = "text/javascript; charset=utf-8"
	case ".woff2":
		a.contentType = "font/woff2"
	case ".webmanifest":
		a.contentType = "application/manifest+json"
	case "":
		a.contentType = "application/octet-stream"
	}
	if strings.HasPrefix(name, "assets/") {
		a.cache = cacheAsset
	}
	var err error
	if a.zipped, err = fs.ReadFile(files, name+".gz"); errors.Is(err, fs.ErrNotExist) {
		a.zipped, err = zip(content)
	}
	if err != nil {
		return nil, err
	}
	if a.brotli, err = fs.ReadFile(files, name+".br"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return a, nil
}

// zip compresses, and gives nothing where that gains nothing.
func zip(content []byte) ([]byte, error) {
	if len(content) < minCompressed {
		return nil, nil
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(content); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	const worthwhile = 0.9
	if float64(b.Len()) > worthwhile*float64(len(content)) {
		return nil, nil
	}
	return b.Bytes(), nil
}

func contentTag(content []byte) string {
	sum := sha256.Sum256(content)
	return `W/"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// ServeHTTP answers with a file, or with the page for the client's own routes.
func (c *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.server.securePage(w.Header(), c.policy)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		plain(w, http.StatusMethodNotAllowed, "Only GET answers here; the API is under /api.")
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	if a, ok := c.assets[name]; ok {
		a.write(w, r)
		return
	}
	// What looks like a file is one; an old page that asks for a file of an
	// earlier build must not get the page instead.
	if name != indexFile && (strings.HasPrefix(name, "assets/") || path.Ext(name) != "") {
		w.Header().Set("Cache-Control", "no-store")
		plain(w, http.StatusNotFound, fault.ErrNotFound.Message)
		return
	}
	if c.index == nil {
		plain(w, http.StatusServiceUnavailable, "The client was not built into this binary; `make build` does.")
		return
	}
	a := c.index.plain
	if id, ok := pageOf(r.URL.Path, eventPages); ok {
		a = c.eventPage(r, id)
	} else if id, ok := pageOf(r.URL.Path, orgPages); ok {
		a = c.orgPage(r, id)
	}
	a.write(w, r)
}

func (a *asset) write(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", a.cache)
	h.Set("Etag", a.tag)
	h.Set("Vary", "Accept-Encoding")
	if match := r.Header.Get("If-None-Match"); match != "" && matchesTag(match, a.tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := a.plain
	switch {
	case a.brotli != nil && accepts(r, "br"):
		h.Set("Content-Encoding", "br")
		body = a.brotli
	case a.zipped != nil && accepts(r, "gzip"):
		h.Set("Content-Encoding", "gzip")
		body = a.zipped
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}
