// Package docs has those of the documents that the server serves.
package docs

import _ "embed" // for OpenAPI

// OpenAPI describes the server's HTTP.
//
//go:embed openapi.yaml
var OpenAPI []byte
