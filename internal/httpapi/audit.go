package httpapi

// auditRoutes are those of the record of who did what.
func (s *Server) auditRoutes() []route { return nil }
