package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Upload is the server's leave to send one photo.
type Upload struct {
	ID        string            `json:"upload_id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	ExpiresAt time.Time         `json:"expires_at"`
}

// UploadPhoto announces a photo and sends it, and returns the upload's id. The content type is
// one of image/jpeg, image/png and image/webp.
func (c *Client) UploadPhoto(
	ctx context.Context, photo []byte, contentType string,
) (string, error) {
	up, err := c.CreateUpload(ctx, photo, contentType)
	if err != nil {
		return "", err
	}
	if err := c.Put(ctx, up, photo); err != nil {
		return "", err
	}
	return up.ID, nil
}

// CreateUpload announces a photo. It is repeatable: leave that is never used just expires.
func (c *Client) CreateUpload(
	ctx context.Context, photo []byte, contentType string,
) (Upload, error) {
	sum := sha256.Sum256(photo)
	var up Upload
	err := c.doJSON(ctx, call{
		method: http.MethodPost, path: "/waste/uploads", repeatable: true,
		body: map[string]any{
			"sha256": hex.EncodeToString(sum[:]), "size": len(photo), "content_type": contentType,
		},
	}, &up)
	return up, err
}

// Put sends the photo to the object store. The address signs its size, its checksum and that
// nothing is overwritten.
func (c *Client) Put(ctx context.Context, up Upload, photo []byte) error {
	for try := 1; ; try++ {
		err := c.put(ctx, up, photo)
		if try > 1 && IsStatus(err, http.StatusPreconditionFailed) {
			return nil // the try before arrived, only its answer did not
		}
		if err == nil {
			return nil
		}
		if err := c.backOff(ctx, err, try); err != nil {
			return err
		}
	}
}

func (c *Client) put(ctx context.Context, up Upload, photo []byte) error {
	method := up.Method
	if method == "" {
		method = http.MethodPut
	}
	req, err := http.NewRequestWithContext(ctx, method, up.URL, bytes.NewReader(photo))
	if err != nil {
		return errors.New("the server's upload address cannot be used")
	}
	for name, value := range up.Headers {
		switch {
		case strings.EqualFold(name, "Host"):
			req.Host = value
		case strings.EqualFold(name, "Content-Length"): // NewRequest has set it
		default:
			req.Header.Set(name, value)
		}
	}
	got, err := c.exchange(req)
	var refused *Problem
	if errors.As(err, &refused) {
		refused.fromStore(got.body)
	}
	return err
}

// fromStore takes code and detail from an answer in the language of S3.
func (p *Problem) fromStore(body []byte) {
	var doc struct {
		Code    string
		Message string
	}
	if xml.Unmarshal(body, &doc) == nil && doc.Code != "" {
		p.Code, p.Detail = doc.Code, fmt.Sprintf("The object store refused the photo: %s", doc.Message)
	}
}
