package org

// MemberStore keeps who belongs to an organization, and as what.
type MemberStore interface{}
