package migrate

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
)

const statementKept = 200

// tracer hears each statement of the session just before the server does.
type tracer struct {
	statement func(ctx context.Context, statement string)
}

// TraceQueryStart implements pgx.QueryTracer.
func (t *tracer) TraceQueryStart(
	ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData,
) context.Context {
	if t.statement != nil && !strings.Contains(data.SQL, versionTable) && !isPing(data.SQL) {
		t.statement(ctx, data.SQL)
	}
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (t *tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func isPing(statement string) bool {
	return strings.HasPrefix(statement, "-- ping") || statement == ";"
}

func shorten(statement string) string {
	statement = strings.Join(strings.Fields(statement), " ")
	if runes := []rune(statement); len(runes) > statementKept {
		return string(runes[:statementKept]) + "…"
	}
	return statement
}
