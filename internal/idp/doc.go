// Package idp is the embedded OpenID provider: accounts with passwords, the
// pages to sign up, sign in and recover, and the protocol's endpoints, so
// that a fresh machine needs no identity service. It is mounted at
// {public URL}/idp and the application uses it as it would use any other.
//
//	GET authorize ──▶ auth request, bound to the browser by a cookie
//	      │
//	      ▼
//	  sign-in ◀──────────── confirm ◀── mailed link ◀── sign-up
//	      │  password right, address confirmed
//	      ▼
//	  code, once, one minute ──▶ redirect_uri
//	                                  │
//	POST oauth/token ◀── code + PKCE verifier + client secret
//	      └──▶ ID token, access token (at+jwt), refresh token if asked for
//
// What this provider insists on beyond the library: PKCE with S256 always,
// the authorization code flow only, redirect addresses compared byte by byte,
// and that the browser which finishes a sign-in is the one that began it;
// else somebody could begin one, have another person finish it by a link, and
// take the code.
//
// There is no session at the provider itself: every sign-in asks for the
// password, and the application's session is the only one to end.
//
// Mails are facts in the outbox; the secret of a mailed link is minted when
// the mail is sent (MintLink) and only its hash is kept.
package idp
