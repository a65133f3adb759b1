package spec

import _ "embed"

//go:embed wastecoach.schema.json
var schema []byte

// Schema is the JSON schema of the file. `go test ./internal/wcctl/spec -update` writes it from the
// types and their comments.
func Schema() []byte { return schema }
