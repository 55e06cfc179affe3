package org

// SettingsStore keeps what an organization says of itself, and its standing.
type SettingsStore interface{}
