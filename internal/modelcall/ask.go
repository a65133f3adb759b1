package modelcall

import (
	"context"
	"fmt"
)

const maxFault = 1000

// Ask sends p and returns an answer that satisfies p.Schema and check, repaired once if needed.
// The usage covers both tries and is returned with an error too.
func Ask[T any](ctx context.Context, g *Guard, p Prompt, check func(T) error) (T, Usage, error) {
	first, err := g.Complete(ctx, p)
	if err != nil {
		return *new(T), first.Usage, err
	}
	answer, fault := decode(p.Schema, first.Text, check)
	if fault == nil {
		return answer, first.Usage, nil
	}
	g.metrics.invalid(g.labels)

	// A provider that honors idempotency keys would replay the invalid answer under the same one.
	p.Stage += ":repair"
	p.Repair = &Repair{Answer: first.Text, Fault: clip(fault.Error(), maxFault)}
	second, err := g.Complete(ctx, p)
	usage := first.Usage.plus(second.Usage)
	if err != nil {
		return *new(T), usage, fmt.Errorf("repairing an answer: %w", err)
	}
	answer, fault = decode(p.Schema, second.Text, check)
	if fault != nil {
		g.metrics.invalid(g.labels)
		return *new(T), usage, &Error{Kind: InvalidAnswer, Retryable: true, Err: fault}
	}
	return answer, usage, nil
}

func decode[T any](schema *Schema, text string, check func(T) error) (T, error) {
	var answer T
	if err := schema.Decode(text, &answer); err != nil {
		return answer, err
	}
	return answer, check(answer)
}

func clip(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	return string(runes[:limit]) + "…"
}
