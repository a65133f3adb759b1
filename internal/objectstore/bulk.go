package objectstore

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// abortTimeout is what a stream that broke off has to remove the parts that it sent.
const abortTimeout = 10 * time.Second

// PutStream stores what body gives, in parts of some megabytes: it need not fit into memory, nor its
// size be known. Where body fails, nothing is stored.
func (s *Store) PutStream(ctx context.Context, key, contentType string, body io.Reader) error {
	manager := transfermanager.New(s.client, func(o *transfermanager.Options) {
		o.Concurrency, o.FailTimeout = 2, abortTimeout
	})
	_, err := manager.UploadObject(ctx, &transfermanager.UploadObjectInput{
		Bucket: aws.String(s.bucket), Key: aws.String(key), ContentType: aws.String(contentType),
		Body: body,
	})
	if err != nil {
		return fmt.Errorf("storing %s: %w", key, err)
	}
	return nil
}

// CountPrefix counts the objects whose keys begin with prefix, and the uploads that are unfinished.
func (s *Store) CountPrefix(ctx context.Context, prefix string) (int64, error) {
	var n int64
	err := s.eachPage(ctx, prefix, func(keys []types.ObjectIdentifier) error {
		n += int64(len(keys))
		return nil
	})
	if err != nil {
		return 0, err
	}
	unfinished, err := s.unfinished(ctx, prefix)
	return n + int64(len(unfinished)), err
}

// DeletePrefix removes what CountPrefix counts, and tells how much that was.
func (s *Store) DeletePrefix(ctx context.Context, prefix string) (int64, error) {
	var n int64
	err := s.eachPage(ctx, prefix, func(keys []types.ObjectIdentifier) error {
		n += int64(len(keys))
		return s.deleteAll(ctx, keys)
	})
	if err != nil {
		return n, err
	}
	unfinished, err := s.unfinished(ctx, prefix)
	if err != nil {
		return n, err
	}
	for _, upload := range unfinished {
		_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
			Bucket: aws.String(s.bucket), Key: upload.Key, UploadId: upload.UploadId,
		})
		if err != nil && !isNotFound(err) {
			return n, fmt.Errorf("aborting the upload of %s: %w", aws.ToString(upload.Key), err)
		}
		n++
	}
	return n, nil
}

// eachPage hands on the keys below prefix, up to 1000 at a time.
func (s *Store) eachPage(
	ctx context.Context, prefix string, do func([]types.ObjectIdentifier) error,
) error {
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{
		Bucket: aws.String(s.bucket), Prefix: aws.String(prefix),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("listing %s: %w", prefix, err)
		}
		keys := make([]types.ObjectIdentifier, len(page.Contents))
		for i, object := range page.Contents {
			keys[i].Key = object.Key
		}
		if len(keys) == 0 {
			continue
		}
		if err := do(keys); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) deleteAll(ctx context.Context, keys []types.ObjectIdentifier) error {
	done, err := s.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: aws.String(s.bucket), Delete: &types.Delete{Objects: keys, Quiet: aws.Bool(true)},
	})
	if err != nil {
		return fmt.Errorf("deleting %d objects: %w", len(keys), err)
	}
	if len(done.Errors) > 0 {
		first := done.Errors[0]
		return fmt.Errorf("deleting %s: %s: %s", aws.ToString(first.Key),
			aws.ToString(first.Code), aws.ToString(first.Message))
	}
	return nil
}

// unfinished are uploads in parts that nobody has ended: a stream whose process was killed. Their
// parts are kept, and paid for, although no listing shows them.
func (s *Store) unfinished(ctx context.Context, prefix string) ([]types.MultipartUpload, error) {
	var all []types.MultipartUpload
	pages := s3.NewListMultipartUploadsPaginator(s.client, &s3.ListMultipartUploadsInput{
		Bucket: aws.String(s.bucket), Prefix: aws.String(prefix),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing unfinished uploads of %s: %w", prefix, err)
		}
		all = append(all, page.Uploads...)
	}
	return all, nil
}
