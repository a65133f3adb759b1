package tests3_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/wastecoach/wastecoach/internal/tests3"
)

func TestMain(m *testing.M) { os.Exit(tests3.Main(m)) }

func client(b tests3.Bucket) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(b.Endpoint), Region: b.Region, UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(b.AccessKey, b.SecretKey, ""),
	})
}

func presign(t *testing.T, b tests3.Bucket, key string, body []byte, opts ...func(*s3.PresignOptions),
) *v4.PresignedHTTPRequest {
	t.Helper()
	sum := sha256.Sum256(body)
	signed, err := s3.NewPresignClient(client(b)).PresignPutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(b.Name), Key: aws.String(key), ContentType: aws.String("image/jpeg"),
		ContentLength: aws.Int64(int64(len(body))), IfNoneMatch: aws.String("*"),
		ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(sum[:])),
	}, append([]func(*s3.PresignOptions){s3.WithPresignExpires(time.Minute)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// earlier signs as if it were some time ago.
type earlier struct {
	s3.HTTPPresignerV4
	by time.Duration
}

//nolint:revive // the SDK's interface has these arguments
func (e earlier) PresignHTTP(
	ctx context.Context, creds aws.Credentials, r *http.Request, payloadHash, service, region string,
	now time.Time, opts ...func(*v4.SignerOptions),
) (string, http.Header, error) {
	return e.HTTPPresignerV4.PresignHTTP(ctx, creds, r, payloadHash, service, region, now.Add(-e.by), opts...)
}

func signedEarlier(by time.Duration) func(*s3.PresignOptions) {
	return func(o *s3.PresignOptions) { o.Presigner = earlier{o.Presigner, by} }
}

func send(t *testing.T, signed *v4.PresignedHTTPRequest, body []byte, change func(*http.Request)) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), signed.Method, signed.URL, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range signed.SignedHeader {
		if name != "Host" && name != "Content-Length" {
			req.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	if change != nil {
		change(req)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

func TestPresignedPutIsHeldToWhatWasSigned(t *testing.T) {
	t.Parallel()
	bucket := tests3.New(t)
	// Short enough to be sent whole before a refusal, after which the gateway closes the connection.
	body := bytes.Repeat([]byte("photo"), 100)
	other := bytes.Repeat([]byte("other"), 100)
	drop := func(name string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Del(name) }
	}
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	otherSum := sha256.Sum256(other)
	for name, tc := range map[string]struct {
		body   []byte
		change func(*http.Request)
		want   int
	}{
		"as signed":         {body, nil, http.StatusOK},
		"other bytes":       {other, nil, http.StatusBadRequest},
		"one byte more":     {append(bytes.Clone(body), 'x'), nil, http.StatusForbidden},
		"one byte less":     {body[1:], nil, http.StatusForbidden},
		"empty":             {nil, nil, http.StatusForbidden},
		"other type":        {body, set("Content-Type", "text/html"), http.StatusForbidden},
		"no type":           {body, drop("Content-Type"), http.StatusForbidden},
		"no checksum":       {body, drop("X-Amz-Checksum-Sha256"), http.StatusForbidden},
		"overwrite allowed": {body, drop("If-None-Match"), http.StatusForbidden},
		"other checksum": {
			other, set("X-Amz-Checksum-Sha256", base64.StdEncoding.EncodeToString(otherSum[:])),
			http.StatusForbidden,
		},
		"other key": {body, func(r *http.Request) { r.URL.Path += "x" }, http.StatusForbidden},
		"forged signature": {body, func(r *http.Request) {
			q := r.URL.Query()
			q.Set("X-Amz-Signature", strings.Repeat("0", 64))
			r.URL.RawQuery = q.Encode()
		}, http.StatusForbidden},
		"longer validity": {body, func(r *http.Request) {
			q := r.URL.Query()
			q.Set("X-Amz-Expires", "604800")
			r.URL.RawQuery = q.Encode()
		}, http.StatusForbidden},
		"chunked without length": {body, func(r *http.Request) { r.ContentLength = -1 }, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key := "uploads/" + url.PathEscape(strings.ReplaceAll(name, " ", "-"))
			signed := presign(t, bucket, key, body)
			status, answer := send(t, signed, tc.body, tc.change)
			if status != tc.want {
				t.Errorf("answered %d, want %d: %s", status, tc.want, answer)
			}
			_, err := client(bucket).HeadObject(t.Context(),
				&s3.HeadObjectInput{Bucket: aws.String(bucket.Name), Key: aws.String(key)})
			if stored := err == nil; stored != (tc.want == http.StatusOK) {
				t.Errorf("object stored: %v (%v)", stored, err)
			}
		})
	}
}

func TestPresignedPutExpires(t *testing.T) {
	t.Parallel()
	bucket := tests3.New(t)
	body := []byte("photo")
	for name, tc := range map[string]struct {
		age  time.Duration
		want int
	}{
		"within": {50 * time.Second, http.StatusOK},
		"after":  {61 * time.Second, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			signed := presign(t, bucket, name, body, signedEarlier(tc.age))
			if status, answer := send(t, signed, body, nil); status != tc.want {
				t.Errorf("answered %d, want %d: %s", status, tc.want, answer)
			}
		})
	}
}

func TestPresignedPutNeverOverwrites(t *testing.T) {
	t.Parallel()
	bucket := tests3.New(t)
	body := []byte("photo")
	signed := presign(t, bucket, "k", body)
	statuses := make(chan int)
	const senders = 8
	for range senders {
		go func() {
			status, _ := send(t, signed, body, nil)
			statuses <- status
		}()
	}
	count := map[int]int{}
	for range senders {
		count[<-statuses]++
	}
	if count[http.StatusOK] != 1 || count[http.StatusPreconditionFailed] != senders-1 {
		t.Errorf("answers of %d uploads at once: %v", senders, count)
	}
}

func TestWrongBytesLeaveTheKeyFree(t *testing.T) {
	t.Parallel()
	bucket := tests3.New(t)
	signed := presign(t, bucket, "k", []byte("photo"))
	if status, answer := send(t, signed, []byte("other"), nil); status != http.StatusBadRequest {
		t.Fatalf("wrong bytes: %d %s", status, answer)
	}
	if status, answer := send(t, signed, []byte("photo"), nil); status != http.StatusOK {
		t.Fatalf("right bytes afterwards: %d %s", status, answer)
	}
}

func TestOtherAccountsAreRefused(t *testing.T) {
	t.Parallel()
	bucket := tests3.New(t)
	for name, change := range map[string]func(*tests3.Bucket){
		"secret": func(b *tests3.Bucket) { b.SecretKey = "guessed" },
		"access": func(b *tests3.Bucket) { b.AccessKey = "GUESSED" },
		"region": func(b *tests3.Bucket) { b.Region = "us-west-2" },
	} {
		wrong := bucket
		change(&wrong)
		_, err := client(wrong).ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket.Name)})
		if err == nil {
			t.Errorf("wrong %s: let in", name)
		}
	}
}

func TestObjectsSurviveRestartAndKill(t *testing.T) {
	t.Parallel()
	gateway := tests3.Server(t)
	body := []byte("photo")
	if status, answer := send(t, presign(t, gateway.Bucket, "a/b", body), body, nil); status != http.StatusOK {
		t.Fatalf("%d %s", status, answer)
	}
	gateway.Stop()
	if _, err := http.Get(gateway.Endpoint); err == nil { //nolint:bodyclose // must not answer
		t.Fatal("a stopped gateway answers")
	}
	gateway.Restart()
	gateway.Kill()
	gateway.Restart()
	object, err := client(gateway.Bucket).GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(gateway.Name), Key: aws.String("a/b"), ChecksumMode: types.ChecksumModeEnabled,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer object.Body.Close()
	got, err := io.ReadAll(object.Body)
	sum := sha256.Sum256(body)
	if err != nil || !bytes.Equal(got, body) || aws.ToString(object.ContentType) != "image/jpeg" ||
		aws.ToString(object.ChecksumSHA256) != base64.StdEncoding.EncodeToString(sum[:]) {
		t.Errorf("after restarts: %q %v %v %v", got, err, aws.ToString(object.ContentType),
			aws.ToString(object.ChecksumSHA256))
	}
	again := presign(t, gateway.Bucket, "a/b", body)
	if status, _ := send(t, again, body, nil); status != http.StatusPreconditionFailed {
		t.Errorf("overwriting after restarts: %d", status)
	}
}

func BenchmarkServer(b *testing.B) {
	for b.Loop() {
		tests3.Server(b)
	}
}
