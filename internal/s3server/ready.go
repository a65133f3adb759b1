package s3server

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	"github.com/wastecoach/wastecoach/internal/childproc"
)

const readyPoll = 10 * time.Millisecond

// own asks a gateway that this process has started: who answers on its port is not in doubt.
var own = &http.Client{Transport: &http.Transport{
	TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // as above
}}

func awaitReady(ctx context.Context, proc *childproc.Process, endpoint string) error {
	ctx, cancel := context.WithTimeout(ctx, startBudget)
	defer cancel()
	url := endpoint + healthPath
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		err := probe(ctx, url)
		if err == nil {
			return nil
		}
		select {
		case <-proc.Done():
			if err := proc.Err(); err != nil {
				return err
			}
			return fmt.Errorf("it ended at once; its last lines:\n%s", proc.LogTail())
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w; last try: %w; its last lines:\n%s",
				ctx.Err(), err, proc.LogTail())
		case <-tick.C:
		}
	}
}

func probe(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := own.Do(req)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %s", url, resp.Status)
	}
	_ = resp.Body.Close()
	return err
}
