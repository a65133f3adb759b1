package bundle_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func TestHandler(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.withPackages(t)
	made := b.create(t)
	server := httptest.NewServer(made.Handler())
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")

	t.Run("images are pulled whole, by tag and digest", func(t *testing.T) {
		t.Parallel()
		digest := made.Lock().Images[0].Digest
		for _, repository := range []string{"/hello:v1.0.0", "/registry.example/hello:v1.0.0", "/hello@" + digest} {
			ref, err := name.ParseReference(host+repository, name.Insecure)
			if err != nil {
				t.Fatal(err)
			}
			image, err := remote.Image(ref)
			if err != nil {
				t.Fatal(err)
			}
			if err := validate.Image(image); err != nil {
				t.Errorf("%s: %v", ref, err)
			}
			if got, err := image.Digest(); err != nil || got.String() != digest {
				t.Errorf("%s is %s, %v", ref, got, err)
			}
			config, err := image.ConfigFile()
			if err != nil || !slices.Equal(config.Config.Entrypoint, []string{"/hello"}) {
				t.Errorf("%s starts %v, %v", ref, config, err)
			}
		}
		repository, err := name.NewRepository(host+"/hello", name.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		if tags, err := remote.List(repository); err != nil || !slices.Equal(tags, []string{"v1.0.0"}) {
			t.Errorf("tags %q, %v", tags, err)
		}
	})
	t.Run("answers", func(t *testing.T) {
		t.Parallel()
		for _, test := range []struct {
			method, path string
			status       int
			body         string
		}{
			{"GET", "/v2/", 200, "{}"},
			{"GET", "/v2/hello/manifests/v1.0.0?ns=registry.example", 200, "config"},
			{"HEAD", "/v2/hello/manifests/v1.0.0?ns=registry.example", 200, ""},
			{"GET", "/v2/hello/manifests/v1.0.0?ns=docker.io", 404, "MANIFEST_UNKNOWN"},
			{"GET", "/v2/hello/manifests/v2", 404, "MANIFEST_UNKNOWN"},
			{"GET", "/v2/hello/blobs/sha256:" + strings.Repeat("0", 64), 404, "BLOB_UNKNOWN"},
			{"GET", "/v2/hello/blobs/sha256:..%2f..%2fbundle.lock.json", 404, "NAME_UNKNOWN"},
			{"GET", "/v2/hello/blobs/sha256:..", 404, "DIGEST_INVALID"},
			{"GET", "/v2/nothing/tags/list", 404, "NAME_UNKNOWN"},
			{"POST", "/v2/hello/blobs/uploads/", 405, ""},
			{"GET", "/files/hello", 200, "ELF"},
			{"GET", "/files/..%2fbundle.lock.json", 404, ""},
			{"GET", "/bundle.lock.json", 404, ""},
			{"GET", "/debs/Packages", 200, "Package: tool-data"},
		} {
			request, err := http.NewRequestWithContext(t.Context(), test.method, server.URL+test.path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			if err != nil || answer.StatusCode != test.status || !strings.Contains(string(body), test.body) {
				t.Errorf("%s %s answers %d %.200q, %v", test.method, test.path, answer.StatusCode, body, err)
			}
		}
	})
	t.Run("apt takes the packages with what they need", func(t *testing.T) {
		t.Parallel()
		again := setup(t)
		again.options.Recipe.Packages = b.options.Recipe.Packages
		again.options.Recipe.Packages.Sources = []string{server.URL + "/debs ./"}
		var names []string
		for _, p := range again.create(t).Lock().Packages {
			names = append(names, p.Name+"="+p.Version)
		}
		if !slices.Equal(names, []string{"tool-data=1.0", "tool=1:2.0-1"}) {
			t.Errorf("apt took %q", names)
		}
	})
}
