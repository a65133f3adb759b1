// Package objectstore keeps photos in an S3 bucket.
package objectstore

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/wastecoach/wastecoach/internal/env"
)

// Config says where the bucket is.
type Config struct {
	// Endpoint is the URL that services use; empty for AWS.
	Endpoint string `env:"ENDPOINT"`
	// PublicEndpoint is the URL that apps upload to; empty for Endpoint.
	PublicEndpoint string     `env:"PUBLIC_ENDPOINT"`
	Region         string     `env:"REGION" envDefault:"ap-northeast-2"`
	Bucket         string     `env:"BUCKET,required"`
	AccessKey      string     `env:"ACCESS_KEY"`
	SecretKey      env.Secret `env:"SECRET_KEY"`
}

// ErrNotFound says that there is no such object.
var ErrNotFound = errors.New("object not found")

// ErrTooLarge says that an object is larger than the reader's limit.
var ErrTooLarge = errors.New("object too large")

// Store is one bucket.
type Store struct {
	bucket  string
	client  *s3.Client
	presign *s3.PresignClient
}

// New returns a Store. It makes no request.
func New(cfg Config) *Store {
	public := cfg.PublicEndpoint
	if public == "" {
		public = cfg.Endpoint
	}
	return &Store{
		bucket:  cfg.Bucket,
		client:  client(cfg, cfg.Endpoint),
		presign: s3.NewPresignClient(client(cfg, public)),
	}
}

// requestTimeout bounds one try: a photo has at most some megabytes.
const requestTimeout = 20 * time.Second

func client(cfg Config, endpoint string) *s3.Client {
	options := s3.Options{
		HTTPClient:   &http.Client{Timeout: requestTimeout},
		Region:       cfg.Region,
		UsePathStyle: endpoint != "",
		Credentials: credentials.NewStaticCredentialsProvider(
			cfg.AccessKey, cfg.SecretKey.Reveal(), ""),
	}
	if endpoint != "" {
		options.BaseEndpoint = aws.String(endpoint)
	}
	return s3.New(options)
}

// Upload is what a client promises about the bytes it will send.
type Upload struct {
	Key         string
	Size        int64
	ContentType string
	SHA256      []byte
}

// Signed is a request that a client may send once, as it is, until it expires.
type Signed struct {
	Method  string
	URL     string
	Headers map[string]string
}

// PresignPut signs the exact size, type and checksum, and that nothing is overwritten.
func (s *Store) PresignPut(ctx context.Context, u Upload, valid time.Duration) (Signed, error) {
	request, err := s.presign.PresignPutObject(ctx, &s3.PutObjectInput{
		Bucket:         aws.String(s.bucket),
		Key:            aws.String(u.Key),
		ContentLength:  aws.Int64(u.Size),
		ContentType:    aws.String(u.ContentType),
		ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(u.SHA256)),
		IfNoneMatch:    aws.String("*"),
	}, s3.WithPresignExpires(valid))
	if err != nil {
		return Signed{}, fmt.Errorf("signing the upload of %s: %w", u.Key, err)
	}
	headers := map[string]string{}
	for name := range request.SignedHeader {
		if name != "Host" { // every client sends it by itself
			headers[name] = request.SignedHeader.Get(name)
		}
	}
	return Signed{Method: request.Method, URL: request.URL, Headers: headers}, nil
}

// Head returns an object's size, or ErrNotFound.
func (s *Store) Head(ctx context.Context, key string) (int64, error) {
	head, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket: aws.String(s.bucket), Key: aws.String(key),
	})
	if err != nil {
		return 0, wrap("looking at", key, err)
	}
	return aws.ToInt64(head.ContentLength), nil
}

// Get returns an object of at most limit bytes, or ErrNotFound or ErrTooLarge.
func (s *Store) Get(ctx context.Context, key string, limit int64) ([]byte, error) {
	object, err := s.client.GetObject(ctx, &s3.GetObjectInput{
		Bucket: aws.String(s.bucket), Key: aws.String(key),
	})
	if err != nil {
		return nil, wrap("fetching", key, err)
	}
	defer object.Body.Close()
	data, err := io.ReadAll(io.LimitReader(object.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("fetching %s: %w", key, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("fetching %s: %w", key, ErrTooLarge)
	}
	return data, nil
}

// Put stores bytes of our own making; a second Put of the same key replaces the first.
func (s *Store) Put(ctx context.Context, key, contentType string, data []byte) error {
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(s.bucket), Key: aws.String(key),
		ContentType: aws.String(contentType), Body: bytes.NewReader(data),
	})
	if err != nil {
		return fmt.Errorf("storing %s: %w", key, err)
	}
	return nil
}

// Delete removes an object; one that is gone already is no error.
func (s *Store) Delete(ctx context.Context, key string) error {
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{
		Bucket: aws.String(s.bucket), Key: aws.String(key),
	})
	if err != nil && !isNotFound(err) {
		return fmt.Errorf("deleting %s: %w", key, err)
	}
	return nil
}

// PresignGet returns a URL that shows an object until it expires.
func (s *Store) PresignGet(ctx context.Context, key string, valid time.Duration) (string, error) {
	request, err := s.presign.PresignGetObject(ctx, &s3.GetObjectInput{
		Bucket: aws.String(s.bucket), Key: aws.String(key),
	}, s3.WithPresignExpires(valid))
	if err != nil {
		return "", fmt.Errorf("signing the link to %s: %w", key, err)
	}
	return request.URL, nil
}

// Ready checks that the bucket can be reached.
func (s *Store) Ready(ctx context.Context) error {
	_, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(s.bucket)})
	if err != nil {
		return fmt.Errorf("reaching the bucket %s: %w", s.bucket, err)
	}
	return nil
}

func wrap(act, key string, err error) error {
	if isNotFound(err) {
		return fmt.Errorf("%s %s: %w", act, key, ErrNotFound)
	}
	return fmt.Errorf("%s %s: %w", act, key, err)
}

func isNotFound(err error) bool {
	var (
		missing  *types.NoSuchKey
		notFound *types.NotFound
		response interface{ HTTPStatusCode() int }
		named    interface{ ErrorCode() string }
	)
	if errors.As(err, &named) && named.ErrorCode() == "NoSuchBucket" {
		return false // a fault of the configuration: the objects may well exist
	}
	return errors.As(err, &missing) || errors.As(err, &notFound) ||
		errors.As(err, &response) && response.HTTPStatusCode() == http.StatusNotFound
}
