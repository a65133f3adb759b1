package bundle

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Handler serves the bundle to machines, for reading only:
//
//	/files/<name>  programs and archives
//	/debs/         a flat apt repository
//	/v2/           the OCI distribution API, as a mirror of all registries
func (b *Bundle) Handler() http.Handler {
	files, debs := b.folder(filesFolder), b.folder(debsFolder)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			http.Error(w, "a bundle is for reading only", http.StatusMethodNotAllowed)
		case strings.HasPrefix(r.URL.Path, "/v2/"):
			b.serveRegistry(w, r)
		case strings.HasPrefix(r.URL.Path, "/"+filesFolder+"/"):
			files.ServeHTTP(w, r)
		case strings.HasPrefix(r.URL.Path, "/"+debsFolder+"/"):
			debs.ServeHTTP(w, r)
		default:
			http.NotFound(w, r)
		}
	})
}

// folder serves a folder of the bundle; apt asks a flat repository for ./Packages.
func (b *Bundle) folder(name string) http.Handler {
	return http.StripPrefix("/"+name, http.FileServerFS(os.DirFS(b.path(name))))
}

// routes of the distribution API: https://github.com/opencontainers/distribution-spec.
var (
	manifestRoute = regexp.MustCompile(`^/v2/(.+)/manifests/([^/]+)$`)
	blobRoute     = regexp.MustCompile(`^/v2/(.+)/blobs/([^/]+)$`)
	tagsRoute     = regexp.MustCompile(`^/v2/(.+)/tags/list$`)
)

func (b *Bundle) serveRegistry(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if r.URL.Path == "/v2/" {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, "{}")
		return
	}
	if m := manifestRoute.FindStringSubmatch(r.URL.Path); m != nil {
		b.serveManifest(w, r, m[1], m[2])
		return
	}
	if m := blobRoute.FindStringSubmatch(r.URL.Path); m != nil {
		hash, err := v1.NewHash(m[2])
		if err != nil {
			refuse(w, "DIGEST_INVALID", err.Error())
			return
		}
		b.serveBlob(w, r, hash, "application/octet-stream", "BLOB_UNKNOWN")
		return
	}
	if m := tagsRoute.FindStringSubmatch(r.URL.Path); m != nil {
		b.serveTags(w, r, m[1])
		return
	}
	refuse(w, "NAME_UNKNOWN", "no such address")
}

// serveManifest finds an image by tag or digest. containerd names the registry that the image is
// of in the parameter ns.
func (b *Bundle) serveManifest(w http.ResponseWriter, r *http.Request, name, reference string) {
	for ref, d := range b.manifests {
		repository, tag := splitRef(ref)
		if !matches(repository, name, r.URL.Query().Get("ns")) {
			continue
		}
		if reference == tag || reference == d.Digest.String() {
			b.serveBlob(w, r, d.Digest, string(d.MediaType), "MANIFEST_UNKNOWN")
			return
		}
	}
	refuse(w, "MANIFEST_UNKNOWN", name+":"+reference+" is not in the bundle")
}

func (b *Bundle) serveBlob(w http.ResponseWriter, r *http.Request, hash v1.Hash, media, code string) {
	f, err := os.Open(b.blob(hash))
	if err != nil {
		refuse(w, code, hash.String()+" is not in the bundle")
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", media)
	w.Header().Set("Docker-Content-Digest", hash.String())
	w.Header().Set("ETag", `"`+hash.String()+`"`)
	http.ServeContent(w, r, "", info.ModTime(), f)
}

func (b *Bundle) serveTags(w http.ResponseWriter, r *http.Request, name string) {
	tags := []string{}
	for ref := range b.manifests {
		repository, tag := splitRef(ref)
		if matches(repository, name, r.URL.Query().Get("ns")) {
			tags = append(tags, tag)
		}
	}
	if len(tags) == 0 {
		refuse(w, "NAME_UNKNOWN", name+" is not in the bundle")
		return
	}
	slices.Sort(tags)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"name": name, "tags": tags})
}

// matches tells whether a repository of the bundle is the one asked for: the registry is in the
// name, in the namespace, or left out.
func matches(repository, name, namespace string) bool {
	if repository == name {
		return true
	}
	registry, rest, _ := strings.Cut(repository, "/")
	return rest == name && (namespace == "" || namespace == registry)
}

// splitRef cuts registry.k8s.io/pause:3.10.2 at the tag.
func splitRef(ref string) (repository, tag string) {
	i := strings.LastIndex(ref, ":")
	return ref[:max(i, 0)], ref[i+1:]
}

// refuse answers as the distribution API does.
func refuse(w http.ResponseWriter, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusNotFound)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"errors": []map[string]string{{"code": code, "message": message}},
	})
}
