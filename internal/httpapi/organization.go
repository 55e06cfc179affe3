package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/org"
)

// orgRoutes are those of organizations.
func (s *Server) orgRoutes() []route {
	return []route{
		on(post, "/organizations", access.SignedIn, about{id: "create-organization", tag: tagOrgs, summary: "Found an organization", status: created,
			more: "You become its orgAdmin."}, s.createOrg),
		on(get, "/organizations", access.SignedIn, about{id: "list-organizations", tag: tagOrgs, summary: "List your organizations"}, s.listOrgs),
		on(get, "/organizations/{id}", access.OrgRead, about{id: "get-organization", tag: tagOrgs, summary: "Read an organization",
			more: "Its public page; its events are `GET /events?org_id=`. The ETag is the revision of the settings."}, s.getOrg),
		on(put, "/organizations/{id}", access.OrgWrite, about{id: "update-organization", tag: tagOrgs, summary: "Change an organization's settings",
			more: "Changes the fields given and keeps the others.", errors: []int{stale}}, s.updateOrg),
		on(del, "/organizations/{id}", access.OrgWrite, about{id: "delete-organization", tag: tagOrgs, summary: "Delete an organization", status: none,
			more: "With its members and invites; only while it has no event at all (`organization_not_empty`).", errors: []int{conflict}}, s.deleteOrg),
		putLogoRoute(),
		on(get, "/organizations/{id}/logo", access.OrgRead, about{id: "get-logo", tag: tagOrgs, summary: "Read an organization's logo",
			more: "At the address that `logo_url` gives it may be kept for good.", describe: describeLogo}, s.getLogo),
		on(del, "/organizations/{id}/logo", access.OrgWrite, about{id: "delete-logo", tag: tagOrgs, summary: "Remove an organization's logo", status: none}, s.deleteLogo),
	}
}

// Organization is a tenant as its readers see it.
type Organization struct {
	ID           uuid.UUID  `json:"id" format:"uuid"`
	Name         string     `json:"name"`
	About        string     `json:"about" doc:"Markdown without HTML."`
	ContactEmail string     `json:"contact_email" doc:"Empty: none."`
	Website      string     `json:"website" doc:"An http or https address; empty: none."`
	Color        *string    `json:"color" doc:"null: none chosen." example:"#1a7f5a"`
	TimeZone     *string    `json:"time_zone" doc:"IANA name of the zone that its new events begin with; null: none chosen." example:"Europe/Berlin"`
	LogoURL      *string    `json:"logo_url" doc:"Relative to the root of the API; another logo has another address. null: there is none."`
	Suspended    bool       `json:"suspended" doc:"The operator has suspended it. Who is no member sees its name and nothing more, and none of its events; members read, and nothing new happens."`
	CreatedAt    *time.Time `json:"created_at" doc:"null: it is suspended, and you are not a member."`
	MyRole       *string    `json:"my_role" enum:"user,organizer,orgAdmin" doc:"null: you are not a member."`
	Revision     int64      `json:"revision" doc:"Moves with the settings; also the ETag. 0: it is suspended, and you are not a member."`
}

func showOrg(o org.Mine) Organization {
	shown := Organization{ID: o.ID, Name: o.Name, Suspended: !o.SuspendedAt.IsZero(), MyRole: orNull(string(o.Role))}
	if o.Closed() {
		return shown
	}
	founded := o.CreatedAt.UTC()
	shown.CreatedAt, shown.Revision = &founded, o.Revision
	shown.About, shown.ContactEmail, shown.Website = o.About, o.ContactEmail, o.Website
	shown.Color, shown.TimeZone = orNull(o.Color), orNull(o.TimeZone)
	if o.LogoVersion != "" {
		shown.LogoURL = orNull(logoURL(&o.Organization))
	}
	return shown
}

// OrgPath names an organization.
type OrgPath struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

// OrganizationCreate names a new organization.
type OrganizationCreate struct {
	Name string `json:"name" doc:"At most 200 characters."`
}

// OrganizationUpdate is what is to be changed; what is left out stays, and
// null or an empty text empties.
type OrganizationUpdate struct {
	Name         *string `json:"name,omitempty" doc:"At most 200 characters; never empty."`
	About        emptied `json:"about,omitempty" doc:"Markdown without HTML, at most 5,000 characters."`
	ContactEmail emptied `json:"contact_email,omitempty" doc:"Shown to everybody."`
	Website      emptied `json:"website,omitempty" doc:"An http or https address, at most 300 characters."`
	Color        emptied `json:"color,omitempty" doc:"Such as #1a7f5a."`
	TimeZone     emptied `json:"time_zone,omitempty" doc:"IANA name."`
}

// emptied is a text, null, or left out; null is the empty text.
type emptied struct{ text *string }

// UnmarshalJSON implements json.Unmarshaler.
func (e *emptied) UnmarshalJSON(data []byte) error {
	e.text = new(string)
	if bytes.Equal(data, []byte("null")) {
		return nil
	}
	return json.Unmarshal(data, e.text)
}

// Schema implements huma.SchemaProvider.
func (emptied) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Nullable: true}
}

// orgAnswer is an organization with the tag of its settings.
type orgAnswer struct {
	ETag string `header:"ETag" doc:"The revision of the settings."`
	Body Organization
}

// answeredOrg tells nobody by the tag that the settings of an organization
// move that they don't see.
func answeredOrg(o org.Mine, err error) (*orgAnswer, error) {
	if err != nil {
		return nil, err
	}
	answer := &orgAnswer{Body: showOrg(o)}
	if !o.Closed() {
		answer.ETag = revisionTag(o.Revision)
	}
	return answer, nil
}

type createOrgAnswer struct {
	ETag     string `header:"ETag" doc:"The revision of the settings."`
	Location string `header:"Location"`
	Body     Organization
}

func (s *Server) createOrg(ctx context.Context, in *struct{ Body OrganizationCreate }) (*createOrgAnswer, error) {
	o, err := s.deps.Orgs.Create(ctx, principal(ctx), in.Body.Name)
	if err != nil {
		return nil, err
	}
	return &createOrgAnswer{ETag: revisionTag(o.Revision), Location: "organizations/" + o.ID.String(), Body: showOrg(o)}, nil
}

func (s *Server) listOrgs(ctx context.Context, in *Page) (*answer[List[Organization]], error) {
	found, next, err := s.deps.Orgs.Mine(ctx, principal(ctx), in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}
	return listed(found, next, showOrg), nil
}

func (s *Server) getOrg(ctx context.Context, in *OrgPath) (*orgAnswer, error) {
	return answeredOrg(s.deps.Orgs.Get(ctx, principal(ctx), in.ID))
}

// updateOrgInput refuses null as a name: left out and null would otherwise be
// the same to the decoder.
type updateOrgInput struct {
	OrgPath
	IfMatch string `header:"If-Match" doc:"The ETag that you saw; a stale one is 412."`
	Body    OrganizationUpdate
}

// Resolve implements huma.Resolver.
func (*updateOrgInput) Resolve(ctx huma.Context) []error {
	var fields map[string]json.RawMessage
	if json.Unmarshal(callFrom(ctx.Context()).body, &fields) == nil && string(fields["name"]) == "null" {
		return []error{&huma.ErrorDetail{Location: "body.name", Message: "must not be null"}}
	}
	return nil
}

func (s *Server) updateOrg(ctx context.Context, in *updateOrgInput) (*orgAnswer, error) {
	revision, err := s.wantedOrgRevision(ctx, in)
	if err != nil {
		return nil, err
	}
	b := &in.Body
	return answeredOrg(s.deps.Orgs.Update(ctx, principal(ctx), in.ID, org.Patch{
		Name: b.Name, About: b.About.text, ContactEmail: b.ContactEmail.text, Website: b.Website.text,
		Color: b.Color.text, TimeZone: b.TimeZone.text,
	}, revision))
}

// wantedOrgRevision is the revision that the caller saw, 0 where it doesn't
// say. Of several tags the one that is current counts.
func (s *Server) wantedOrgRevision(ctx context.Context, in *updateOrgInput) (int64, error) {
	match := parseIfMatch(in.IfMatch)
	if !match.given || match.any {
		return 0, nil
	}
	if len(match.revisions) == 1 && match.revisions[0] > 0 {
		return match.revisions[0], nil
	}
	o, err := s.deps.Orgs.For(ctx, access.OrgWrite, principal(ctx), in.ID)
	if err != nil {
		return 0, err
	}
	if !slices.Contains(match.revisions, o.Revision) {
		return 0, org.ErrStaleRevision
	}
	return o.Revision, nil
}

func (s *Server) deleteOrg(ctx context.Context, in *OrgPath) (*done, error) {
	return nil, s.deps.Orgs.Delete(ctx, principal(ctx), in.ID)
}
