package httpserver

import "github.com/gin-gonic/gin"

// Internal is where a service adds routes for other services, below /internal: no ingress routes
// them and no document describes them. Each must ask for a token of its own.
func (s *Server) Internal() *gin.RouterGroup { return s.engine.Group("/internal") }
