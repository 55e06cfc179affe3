package httpapi

import (
	"context"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/fault"
	"happening/internal/org"
)

// logoPatience is how long a picture may take to arrive: it is larger than
// everything else that is sent, and sent from telephones.
const logoPatience = 25 * time.Second

var (
	// logoTypes are the media types of uploads. What it really is is seen when
	// it is read.
	logoTypes        = []string{"image/png", "image/jpeg", "image/webp"}
	errLogoType      = fault.New(fault.MediaType, "unsupported_media_type", "Send the picture itself, as image/png, image/jpeg or image/webp.")
	errLogoTooLarge  = fault.New(fault.TooLarge, "too_large", "The picture is larger than 2 MB.")
	errLogoEmpty     = fault.New(fault.Malformed, "malformed", "A picture is needed.")
	keptForGood      = "public, max-age=31536000, immutable"
	keptIfStillThere = "no-cache"
	keptByMembers    = "private, no-cache"
)

// logoURL is where a logo is, relative to the API's root. The version makes it
// another address for another picture, so that browsers may keep it.
func logoURL(o *org.Organization) string {
	return "organizations/" + o.ID.String() + "/logo?v=" + o.LogoVersion
}

// logoPath says whether a request brings a logo, and whose.
func logoPath(r *http.Request) (uuid.UUID, bool) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/organizations/")
	name, isLogo := strings.CutSuffix(rest, "/logo")
	if !ok || !isLogo || r.Method != http.MethodPut {
		return uuid.Nil, false
	}
	id, err := uuid.Parse(name)
	return id, err == nil
}

// logoBounds are those of a picture. Who may not set it is told before it is
// read, and each person sends one at a time, so that what is kept of pictures
// and what is decoded of them takes as many people as it takes memory.
func (c *call) logoBounds(ctx context.Context, id uuid.UUID) (bodyBounds, error) {
	if _, err := c.server.deps.Orgs.For(ctx, access.OrgWrite, c.who, id); err != nil {
		return bodyBounds{}, err
	}
	return bodyBounds{
		most: org.MaxLogoBytes, patience: max(logoPatience, c.server.bodyPatience), tooLarge: errLogoTooLarge,
		sender: "logo of " + c.who.UserID.String(), atOnce: 1,
	}, nil
}

// putLogoRoute is that of an upload, whose body is no JSON.
func putLogoRoute() route {
	return route{
		method: put, path: "/organizations/{id}/logo", action: access.OrgWrite,
		about: about{
			id: "put-logo", tag: tagOrgs, summary: "Set an organization's logo",
			more: "The body is the picture, at most 2 MB, 4,096 pixels a side and 8 million pixels in all; one at a time for each person. It is drawn anew into at most 512 pixels a side, as PNG; nothing else of it is kept.",
		},
		register: func(s *Server, rt route) {
			op := rt.operation(s.huma.OpenAPI().Components.Schemas, true)
			op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}}
			for _, kind := range logoTypes {
				op.RequestBody.Content[kind] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
			}
			huma.Register(s.huma, op, s.putLogo)
		},
	}
}

// putLogoInput knows the kind that the caller says the body is of.
type putLogoInput struct {
	OrgPath
	kind string
}

// Resolve implements huma.Resolver.
func (in *putLogoInput) Resolve(ctx huma.Context) []error {
	in.kind = ctx.Header("Content-Type")
	return nil
}

func (s *Server) putLogo(ctx context.Context, in *putLogoInput) (*orgAnswer, error) {
	if kind, _, err := mime.ParseMediaType(in.kind); err != nil || !slices.Contains(logoTypes, kind) {
		return nil, errLogoType
	}
	upload := callFrom(ctx).body
	if len(upload) == 0 {
		return nil, errLogoEmpty
	}
	return answeredOrg(s.deps.Orgs.SetLogo(ctx, principal(ctx), in.ID, upload))
}

func (s *Server) deleteLogo(ctx context.Context, in *OrgPath) (*done, error) {
	return nil, s.deps.Orgs.RemoveLogo(ctx, principal(ctx), in.ID)
}

type getLogoInput struct {
	OrgPath
	Version     string `query:"v" maxLength:"64" doc:"As logo_url has it."`
	IfNoneMatch string `header:"If-None-Match" doc:"The ETag that you have; still the same is 304."`
}

type getLogoAnswer struct{ Body func(huma.Context) }

func describeLogo(huma.Registry) map[string]*huma.Response {
	tag := &huma.Param{Description: "Names the picture.", Schema: &huma.Schema{Type: huma.TypeString}}
	return map[string]*huma.Response{
		"200": {
			Description: "The logo.",
			Headers:     map[string]*huma.Param{"ETag": tag},
			Content:     map[string]*huma.MediaType{"image/png": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
		},
		"304": {Description: "You have it already.", Headers: map[string]*huma.Param{"ETag": tag}},
	}
}

func (s *Server) getLogo(ctx context.Context, in *getLogoInput) (*getLogoAnswer, error) {
	o, image, err := s.deps.Orgs.Logo(ctx, principal(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return &getLogoAnswer{Body: func(c huma.Context) {
		_, w := humago.Unwrap(c)
		h, tag := w.Header(), strconv.Quote(o.LogoVersion)
		h.Set("Etag", tag)
		switch {
		case !o.SuspendedAt.IsZero():
			h.Set("Cache-Control", keptByMembers)
		case in.Version == o.LogoVersion:
			h.Set("Cache-Control", keptForGood)
		default:
			h.Set("Cache-Control", keptIfStillThere)
		}
		if in.IfNoneMatch != "" && matchesTag(in.IfNoneMatch, tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h.Set("Content-Type", "image/png")
		h.Set("Content-Length", strconv.Itoa(len(image)))
		_, _ = w.Write(image)
	}}, nil
}
