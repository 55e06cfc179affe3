// Package signin lets people in. It is an ordinary relying party: the
// embedded provider and any other OpenID provider look the same from here.
//
//	browser                 signin                        provider
//	  │  GET /auth/login      │                               │
//	  ├──────────────────────▶│ state, nonce, PKCE verifier   │
//	  │◀── 303, sealed cookie ┤ go into a cookie, encrypted   │
//	  ├───────────────────── authorize ──────────────────────▶│
//	  │◀──────────────────── 302 code, state ─────────────────┤ (signs the person in)
//	  │  GET /auth/callback   │                               │
//	  ├──────────────────────▶│ cookie opens, state matches   │
//	  │                       ├── code, verifier ────────────▶│
//	  │                       │◀── ID token ──────────────────┤
//	  │◀── session cookie ────┤ person by (issuer, subject)   │
//
// A session is a row in PostgreSQL behind a random cookie; tokens of the
// provider never reach the browser's scripts. Scripts and other services send
// an access token as bearer instead, which is verified here and remembered
// for seconds.
//
// A session goes on for as long as the person's sign-in at the provider
// stands, as far as the provider lets us know:
//
//	a request with the cookie
//	  │ the provider's word is younger than 5 minutes ─▶ answered
//	  │ older: one process claims the renewal, and asks beside the request
//	  │ older than 15 minutes: the request waits for the answer, 2 seconds at most
//	  ▼
//	refresh token ──▶ new tokens     the session goes on, with the next token
//	              ──▶ invalid_grant  the session ends, and its sockets
//	              ──▶ no answer      it goes on, for 24 hours at most
//
// The provider may also end it by itself: POST /auth/backchannel-logout with
// a logout token ends the sessions of its sid, or all of its subject.
package signin
