package modelcall

import "errors"

const (
	// bytesPerToken is low on purpose: Hangul takes about a token per syllable of three bytes.
	bytesPerToken = 2
	// imageTokens is above what current vision models charge for a photo of 1024 pixels.
	imageTokens = 2000
)

// estimate is what a try may cost at most, within the accuracy of counting tokens by bytes.
func (g *Guard) estimate(p Prompt) int64 {
	size := len(p.System) + len(p.Input)
	if p.Schema != nil {
		size += len(p.Schema.JSON)
	}
	if p.Repair != nil {
		size += len(p.Repair.Answer) + len(p.Repair.Fault)
	}
	tokens := int64(size / bytesPerToken)
	if len(p.JPEG) > 0 {
		tokens += imageTokens
	}
	return g.limits.Price.Cost(tokens, g.limits.MaxOutputTokens)
}

// cost prices a try by its usage; where the provider told none, a billed try costs its estimate.
func (g *Guard) cost(used Usage, estimate int64, err error) int64 {
	if used.InputTokens != 0 || used.OutputTokens != 0 {
		return g.limits.Price.Cost(used.InputTokens, used.OutputTokens)
	}
	var call *Error
	if err == nil || (errors.As(err, &call) && call.Billed) {
		return estimate
	}
	return 0
}
