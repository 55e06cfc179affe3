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
package signin
