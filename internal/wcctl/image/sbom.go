package image

import (
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strconv"
	"time"
)

// The document of SPDX 2.3: https://spdx.github.io/spdx-spec/v2.3/.
type spdxDocument struct {
	Version       string             `json:"spdxVersion"`
	DataLicense   string             `json:"dataLicense"`
	ID            string             `json:"SPDXID"`
	Name          string             `json:"name"`
	Namespace     string             `json:"documentNamespace"`
	Creation      spdxCreation       `json:"creationInfo"`
	Packages      []spdxPackage      `json:"packages"`
	Relationships []spdxRelationship `json:"relationships"`
}

type spdxCreation struct {
	Created  time.Time `json:"created"`
	Creators []string  `json:"creators"`
}

type spdxPackage struct {
	ID       string          `json:"SPDXID"`
	Name     string          `json:"name"`
	Version  string          `json:"versionInfo"`
	Location string          `json:"downloadLocation"`
	Analyzed bool            `json:"filesAnalyzed"`
	Refs     []spdxReference `json:"externalRefs,omitempty"`
}

type spdxReference struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type spdxRelationship struct {
	Element string `json:"spdxElementId"`
	Type    string `json:"relationshipType"`
	Related string `json:"relatedSpdxElement"`
}

const (
	spdxDocumentID = "SPDXRef-DOCUMENT"
	spdxProgramID  = "SPDXRef-program"
)

// listParts is the bill of materials of a Go program: what its linker wrote into it.
func listParts(program, service string, v Version) ([]byte, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, fmt.Errorf("listing the parts of %s: %w", service, err)
	}
	doc := spdxDocument{
		Version: "SPDX-2.3", DataLicense: "CC0-1.0", ID: spdxDocumentID, Name: service,
		Namespace:     "https://" + Registry + "/sbom/" + service + "/" + v.Tag + "/" + setting(info, "GOARCH"),
		Creation:      spdxCreation{Created: v.Time, Creators: []string{"Tool: wcctl"}},
		Packages:      []spdxPackage{goPackage(spdxProgramID, info.Path, v.Tag)},
		Relationships: []spdxRelationship{{spdxDocumentID, "DESCRIBES", spdxProgramID}},
	}
	add := func(id, name, version string) {
		doc.Packages = append(doc.Packages, goPackage(id, name, version))
		doc.Relationships = append(doc.Relationships, spdxRelationship{spdxProgramID, "DEPENDS_ON", id})
	}
	add("SPDXRef-go", "stdlib", info.GoVersion[len("go"):])
	for i, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		add("SPDXRef-module-"+strconv.Itoa(i), m.Path, m.Version)
	}
	out, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("listing the parts of %s: %w", service, err)
	}
	return append(out, '\n'), nil
}

func goPackage(id, name, version string) spdxPackage {
	return spdxPackage{
		ID: id, Name: name, Version: version, Location: "NOASSERTION",
		Refs: []spdxReference{{"PACKAGE-MANAGER", "purl", "pkg:golang/" + name + "@" + version}},
	}
}

func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}
