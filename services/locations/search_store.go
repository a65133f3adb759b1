package locations

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// maxMatches is how many points are compared for an answer: a word like 서울 is in all of them.
	maxMatches = 500
	// searchTimeout keeps a word that is nearly in all points from holding up the database.
	searchTimeout = "SET LOCAL statement_timeout = '1500ms'"
)

const (
	containsSQL = `
	SELECT ` + pointColumns + `
	FROM (SELECT id FROM points WHERE search LIKE $4 LIMIT $3) AS found JOIN points p USING (id)
	ORDER BY word_similarity($1, p.search) DESC, p.name, p.id LIMIT $2`

	similarSQL = `
	SELECT ` + pointColumns + `
	FROM (SELECT id FROM points WHERE $1 <% search AND search NOT LIKE $4 LIMIT $3) AS found JOIN points p USING (id)
	ORDER BY word_similarity($1, p.search) DESC, p.name, p.id LIMIT $2`
)

// search finds the points whose name or address contains the words, then those where something like
// them stands. What is similar but takes too long to find is left out.
func (s *store) search(ctx context.Context, query string, limit int) ([]Point, error) {
	points, err := s.find(ctx, containsSQL, query, limit)
	if err != nil || len(points) >= limit {
		return points, err
	}
	similar, err := s.find(ctx, similarSQL, query, limit-len(points))
	var stopped *pgconn.PgError
	if errors.As(err, &stopped) && stopped.Code == queryCanceled {
		return points, nil
	}
	return append(points, similar...), err
}

// queryCanceled is what PostgreSQL says of a statement that took too long.
const queryCanceled = "57014"

func (s *store) find(ctx context.Context, sql, query string, limit int) ([]Point, error) {
	query = strings.ToLower(query)
	points := []Point{}
	batch := &pgx.Batch{} // one round trip
	batch.Queue("BEGIN READ ONLY")
	batch.Queue(searchTimeout)
	batch.Queue(sql, query, limit, maxMatches, "%"+likeEscaper.Replace(query)+"%").Query(func(rows pgx.Rows) error {
		found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Point, error) { return scanPoint(row) })
		points = append(points, found...)
		return err
	})
	batch.Queue("COMMIT")
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("searching points: %w", err)
	}
	return points, nil
}

var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)
