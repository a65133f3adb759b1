package vision

import "encoding/json"

// Schema shows the tests what the model is asked for.
func Schema() (json.RawMessage, error) {
	schema, err := newSchema()
	if err != nil {
		return nil, err
	}
	return schema.JSON, nil
}

// SureAt gives the built-in model, alone or in front of another, a threshold.
func SureAt(a Analyzer, sureAt float64) Analyzer {
	switch a := a.(type) {
	case *local:
		a.sureAt = sureAt
	case *localFirst:
		SureAt(a.local, sureAt)
	}
	return a
}
