package standin

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// The package that the schema is read from: it was generated from the provider's own schema.
const (
	packageName      = "@cdktf/provider-aws"
	packageVersion   = "21.22.1"
	packageIntegrity = "sha512-BuSHeaQFUL9l33pBzIMRT7cTQ69AM2mLtijjteCPhVQRmvuhuj9Lvfymf7knAMhYqAT6+Lrls9jiGVW/Us3zrQ=="
	providerVersion  = "6.25.0"
)

var usedPattern = regexp.MustCompile(`(?m)^(resource|data) "(aws_\w+)"`)

// Reduce reads from the package's archive what the module's files use.
func Reduce(archive, module string) (*Schema, error) {
	files, err := unpack(archive)
	if err != nil {
		return nil, err
	}
	s := &Schema{
		Source:    packageName + " " + packageVersion,
		Integrity: packageIntegrity,
		License:   "MPL-2.0",
		Version:   providerVersion,
		Resources: map[string]Block{},
		Data:      map[string]Block{},
	}
	if s.Provider, err = files.read("provider"); err != nil {
		return nil, err
	}
	if !bytes.Contains(files["package.json"], []byte(`"`+providerVersion+`"`)) {
		return nil, fmt.Errorf("the package is not made from provider %s", providerVersion)
	}
	used, err := usedTypes(module)
	if err != nil {
		return nil, err
	}
	for _, match := range used {
		folder := strings.ReplaceAll(strings.TrimPrefix(match[2], "aws_"), "_", "-")
		blocks := s.Resources
		if match[1] == "data" {
			folder, blocks = "data-aws-"+folder, s.Data
		}
		if blocks[match[2]], err = files.read(folder); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// usedTypes are the module's pairs of `resource` or `data` and a type.
func usedTypes(module string) ([][]string, error) {
	names, err := filepath.Glob(filepath.Join(module, "*.tf"))
	if err != nil {
		return nil, err
	}
	var used [][]string
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		used = append(used, usedPattern.FindAllStringSubmatch(string(text), -1)...)
	}
	return used, nil
}

// contents are the archive's files by path below package/lib, and package.json.
type contents map[string][]byte

func (c contents) read(folder string) (Block, error) {
	javascript, declaration := c[folder+"/index.js"], c[folder+"/index.d.ts"]
	if javascript == nil || declaration == nil {
		return Block{}, fmt.Errorf("the package has no %s", folder)
	}
	block, err := Extract(string(javascript), string(declaration))
	if err != nil {
		return Block{}, fmt.Errorf("reading %s: %w", folder, err)
	}
	return block, nil
}

func unpack(archive string) (contents, error) {
	data, err := os.ReadFile(archive)
	if err != nil {
		return nil, err
	}
	sum := sha512.Sum512(data)
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); got != packageIntegrity {
		return nil, fmt.Errorf("%s has the digest %s, want %s", archive, got, packageIntegrity)
	}
	plain, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	files := contents{}
	for reader := tar.NewReader(plain); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		name := strings.TrimPrefix(strings.TrimPrefix(header.Name, "package/"), "lib/")
		if !strings.HasSuffix(name, "/index.js") && !strings.HasSuffix(name, "/index.d.ts") &&
			name != "package.json" {
			continue
		}
		if files[name], err = io.ReadAll(reader); err != nil {
			return nil, err
		}
	}
}
