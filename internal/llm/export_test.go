package llm

import "encoding/json"

// Schema shows the tests what the model is asked for.
func Schema() (json.RawMessage, error) {
	schema, err := newSchema()
	if err != nil {
		return nil, err
	}
	return schema.JSON, nil
}
