package attack_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/api"
	"github.com/wastecoach/wastecoach/internal/attack"
	"github.com/wastecoach/wastecoach/internal/client"
	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/s3server"
	"github.com/wastecoach/wastecoach/internal/testmain"
	"github.com/wastecoach/wastecoach/internal/testphoto"
	"github.com/wastecoach/wastecoach/internal/wcctl/dev"
)

const (
	// asGateway makes this test binary the S3 gateway.
	asGateway = "ATTACK_TEST_GATEWAY"
	canary    = "Canary 7f3a91 카나리아"
	startup   = time.Minute
)

func TestMain(m *testing.M) {
	if os.Getenv(asGateway) == "" {
		os.Exit(testmain.Main(m))
	}
	if err := beGateway(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func beGateway() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return s3server.Serve(ctx, os.Stdin)
}

// TestEveryRouteOfTheSystem attacks the whole system: all services and workers with PostgreSQL,
// Redis, S3 and an OpenID provider. Run it with -v to see the figures.
func TestEveryRouteOfTheSystem(t *testing.T) {
	t.Parallel()
	url := startStack(t)
	victim := user(t, url, "dev", 1)
	rename(t, url, victim)
	user(t, url, "other", 2)
	report, err := attack.Run(t.Context(), attack.Target{
		URL: url, Documents: documents(t), Victim: victim, Canaries: []string{canary},
		Attacker: func(ctx context.Context) (string, error) {
			_, tokens, err := logIn(ctx, url, "other")
			return tokens.AccessToken, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(report)
	for _, f := range report.Faults {
		t.Errorf("%s: %s\n\t%s", f.Kind, f.Request, f.Detail)
	}
	if report.Operations < 20 || report.Deep < report.Operations/2 {
		t.Errorf("the suite reaches too little: %s", report)
	}
}

func documents(t *testing.T) [][]byte {
	t.Helper()
	var all [][]byte
	for _, service := range api.Services() {
		document, err := api.JSON(service)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, document)
	}
	return all
}

// startStack returns the API's URL.
func startStack(t *testing.T) string {
	t.Helper()
	dir, err := testmain.Dir("attack")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	replicas := dev.DefaultReplicas(dev.Pools())
	for name := range replicas {
		replicas[name] = 1
	}
	none := time.Duration(0)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ready, ended := make(chan dev.Info, 1), make(chan error, 1)
	go func() {
		ended <- dev.Run(ctx, dev.Config{
			Data: dev.Folder(dir + "/data"), Pools: dev.Pools(), Replicas: replicas, Grace: time.Second,
			Vision: "simulator", LLM: "simulator", ModelLatency: &none,
			Gateway: []string{program}, GatewayEnv: []string{asGateway + "=1"}, Show: &bytes.Buffer{},
			OnReady: func(info dev.Info) { ready <- info },
		})
	}()
	t.Cleanup(stop)
	select {
	case info := <-ready:
		t.Cleanup(func() {
			stop()
			if err := <-ended; err != nil {
				t.Errorf("stopping: %v", err)
			}
		})
		return info.URL
	case err := <-ended:
		t.Fatalf("starting: %v", err)
	case <-time.After(startup):
		t.Fatal("the stack does not start")
	}
	return ""
}

func logIn(ctx context.Context, url, who string) (*client.Client, client.Tokens, error) {
	c, err := client.New(client.Options{BaseURL: url})
	if err != nil {
		return nil, client.Tokens{}, err
	}
	login := c.StartLogin("dev", dev.LoopbackRedirect)
	login.URL += "&login_hint=" + who
	tokens, err := c.FollowLogin(ctx, login)
	return c, tokens, err
}

// user logs somebody in, lets them have an answer to a photo, and returns the access token.
func user(t *testing.T, url, who string, seed uint64) string {
	t.Helper()
	c, tokens, err := logIn(t.Context(), url, who)
	if err != nil {
		t.Fatal(err)
	}
	c = c.WithTokens(client.NewSession(c, memory{tokens}))
	photo := testphoto.JPEG(testphoto.Picture(seed), 90)
	upload, err := c.UploadPhoto(t.Context(), photo, "image/jpeg")
	if err != nil {
		t.Fatal(err)
	}
	first, err := c.CreateAnalysis(t.Context(), client.AnalysisRequest{UploadID: upload, IdempotencyKey: who})
	if err != nil {
		t.Fatal(err)
	}
	end, err := c.Watch(t.Context(), first, func(job.Job) {})
	if err != nil || end.Status != job.Succeeded {
		t.Fatalf("the analysis is %s, %v", end.Status, err)
	}
	return tokens.AccessToken
}

type memory struct{ tokens client.Tokens }

func (m memory) Update(
	_ context.Context, change func(client.Tokens) (client.Tokens, error),
) (client.Tokens, error) {
	return change(m.tokens)
}

// rename gives the victim a name that nobody else may see.
func rename(t *testing.T, url, token string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, url+"/api/v1/users/me",
		bytes.NewReader([]byte(`{"display_name":"`+canary+`"}`)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("naming the victim: %s", response.Status)
	}
}
