package standin

import (
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// readOnly reports the configured attributes that only the provider sets.
func (b Block) readOnly(config *tfprotov6.DynamicValue) ([]*tfprotov6.Diagnostic, error) {
	value, err := config.Unmarshal(b.schema().ValueType())
	if err != nil {
		return nil, err
	}
	var faults []*tfprotov6.Diagnostic
	err = tftypes.Walk(value, func(path *tftypes.AttributePath, v tftypes.Value) (bool, error) {
		use, name := b.use(path)
		if use == "computed" && !v.IsNull() {
			faults = append(faults, &tfprotov6.Diagnostic{
				Severity:  tfprotov6.DiagnosticSeverityError,
				Summary:   fmt.Sprintf("the provider alone sets %s", name),
				Attribute: path,
			})
		}
		return use == "", nil
	})
	return faults, err
}

// use is an attribute's first word in the schema, empty for a block.
func (b Block) use(path *tftypes.AttributePath) (use, name string) {
	for _, step := range path.Steps() {
		attribute, ok := step.(tftypes.AttributeName)
		if !ok {
			continue
		}
		name = string(attribute)
		nested, isBlock := b.Blocks[name]
		if !isBlock {
			use, _, _ = strings.Cut(b.Attributes[name], " ")
			return use, name
		}
		b = nested.Block
	}
	return "", name
}
