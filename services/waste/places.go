package waste

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

// Bounds of a request to the locations service.
const (
	placesTimeout = 2 * time.Second
	placesLimit   = 5
	placesBody    = 256 << 10
)

const warnNoPlaces = "collection_points_unavailable"

// places asks the locations service. Its answer is an addition: without it the rest still stands.
type places struct {
	base   string
	client *http.Client
	logger *slog.Logger
}

func newPlaces(base string, logger *slog.Logger) *places {
	return &places{base: base, logger: logger, client: &http.Client{
		Timeout: placesTimeout,
	}}
}

// near returns the nearest collection points for a class of waste, and a warning without them.
func (p *places) near(
	ctx context.Context, a *Analysis, class wasteclass.Class,
) ([]pipeline.Point, []string) {
	if a.Lat == nil || a.Lng == nil {
		return []pipeline.Point{}, []string{}
	}
	points, err := p.fetch(ctx, *a.Lat, *a.Lng, class)
	if err != nil {
		p.logger.WarnContext(ctx, "collection points left out", "error", err)
		return []pipeline.Point{}, []string{warnNoPlaces}
	}
	return points, []string{}
}

func (p *places) fetch(
	ctx context.Context, lat, lng float64, class wasteclass.Class,
) ([]pipeline.Point, error) {
	query := url.Values{
		"lat":     {strconv.FormatFloat(lat, 'f', -1, 64)},
		"lng":     {strconv.FormatFloat(lng, 'f', -1, 64)},
		"accepts": {string(class)},
		"limit":   {strconv.Itoa(placesLimit)},
	}
	target := p.base + "/api/v1/locations/nearby?" + query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, fmt.Errorf("asking for collection points: %w", err)
	}
	// No traced transport, and no url.Error in the log: the address has the user's place in it.
	otel.GetTextMapPropagator().Inject(ctx, propagation.HeaderCarrier(request.Header))
	response, err := p.client.Do(request)
	var inURL *url.Error
	if errors.As(err, &inURL) {
		err = inURL.Err
	}
	if err != nil {
		return nil, fmt.Errorf("asking for collection points: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking for collection points: status %d", response.StatusCode)
	}
	var answer struct {
		Points []pipeline.Point `json:"points"`
	}
	err = json.NewDecoder(io.LimitReader(response.Body, placesBody)).Decode(&answer)
	if err != nil {
		return nil, fmt.Errorf("reading collection points: %w", err)
	}
	if answer.Points == nil {
		answer.Points = []pipeline.Point{}
	}
	return answer.Points, nil
}
