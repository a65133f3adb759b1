package bundle_test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
)

func TestGroups(t *testing.T) {
	t.Parallel()
	all := bundle.Recipe{
		Components: []bundle.Component{
			{Name: "base"}, {Name: "e2e", Group: bundle.Tests}, {Name: "db", Group: bundle.System},
		},
		Userlands: []bundle.Userland{{Name: "base"}, {Name: "db", Group: bundle.System}},
	}
	for _, test := range []struct {
		groups                []bundle.Group
		components, userlands []string
	}{
		{nil, []string{"base"}, []string{"base"}},
		{[]bundle.Group{bundle.Tests}, []string{"base", "e2e"}, []string{"base"}},
		{[]bundle.Group{bundle.Tests, bundle.System}, []string{"base", "e2e", "db"}, []string{"base", "db"}},
	} {
		got := all.With(test.groups...)
		var components, userlands []string
		for _, c := range got.Components {
			components = append(components, c.Name)
		}
		for _, u := range got.Userlands {
			userlands = append(userlands, u.Name)
		}
		if !slices.Equal(components, test.components) || !slices.Equal(userlands, test.userlands) {
			t.Errorf("with %q: %q and %q", test.groups, components, userlands)
		}
	}
	if len(all.Components) != 3 {
		t.Error("the recipe itself changed")
	}
}

func TestUsersOfAnImage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.options.Recipe.Components[0].Images[0].Users = map[string]int{"db": 999}
	b.create(t)
	blobs, err := filepath.Glob(filepath.Join(b.options.Cache, "image-hello-*", "out", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var passwd []string
	for _, blob := range blobs {
		out, err := exec.CommandContext(t.Context(), "tar", "-xzOf", blob, "etc/passwd", "etc/group").Output()
		if err == nil {
			passwd = strings.Split(string(out), "\n")
		}
	}
	for _, want := range []string{
		"root:x:0:0:root:/root:/bin/sh", "db:x:999:999:db:/nonexistent:/bin/sh", "db:x:999:",
	} {
		if !slices.Contains(passwd, want) {
			t.Errorf("no %q in %q", want, passwd)
		}
	}
}
