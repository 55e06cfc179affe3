package httpapi

import (
	"context"
	"encoding/json"
	"html"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/org"
)

// orgPage is the client's page with the head of an organization as a visitor
// sees it, on the same terms as eventPage. One that is suspended has the plain
// head.
func (c *site) orgPage(r *http.Request, id uuid.UUID) *asset {
	s := c.server
	if !s.mayLook(r) {
		return c.index.plain
	}
	ctx, cancel := context.WithTimeout(r.Context(), headPatience)
	defer cancel()
	o, err := s.deps.Orgs.Get(ctx, access.Principal{}, id)
	if err != nil || o.Closed() {
		return c.index.plain
	}
	head, summary, err := orgHead(&o.Organization, s.deps.PublicURL)
	if err != nil {
		s.deps.Log.ErrorContext(ctx, "public page's head failed", "organization", id, "error", err)
		return c.index.plain
	}
	return c.index.with(o.Name+" · Happening", summary, head)
}

// orgHead makes social card tags and the schema.org description of an
// organization.
func orgHead(o *org.Organization, publicURL string) (head, summary string, err error) {
	if summary = shorten(plainText(o.About), maxSummary); summary == "" {
		summary = shorten("Upcoming events of "+o.Name, maxSummary)
	}
	address := publicURL + "/organizations/" + o.ID.String()
	described := map[string]any{
		"@context": "https://schema.org", "@type": "Organization", "@id": address, "url": address, "name": o.Name, "description": summary,
	}
	tags := [][2]string{
		{"og:type", "website"}, {"og:site_name", "Happening"}, {"og:title", o.Name}, {"og:description", summary}, {"og:url", address},
	}
	if o.LogoVersion != "" {
		logo := publicURL + "/api/" + logoURL(o)
		described["logo"] = logo
		tags = append(tags, [2]string{"og:image", logo})
	}
	if o.Website != "" {
		described["sameAs"] = o.Website
	}
	data, err := json.Marshal(described)
	if err != nil {
		return "", "", err
	}
	var b strings.Builder
	b.WriteString(`<link rel="canonical" href="` + html.EscapeString(address) + `">` + "\n")
	for _, tag := range tags {
		b.WriteString(`<meta property="` + tag[0] + `" content="` + html.EscapeString(tag[1]) + `">` + "\n")
	}
	b.WriteString(`<meta name="twitter:card" content="summary">` + "\n")
	b.WriteString(`<script type="application/ld+json">` + string(data) + "</script>\n")
	return b.String(), summary, nil
}
