package gitops

import (
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/helm"
)

func TestEditWritesOnlyWhatDiffers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, under, want, text string }{
		"a new file": {
			"", "{api: {replicas: 3, maxReplicas: 6}}",
			"{api: {replicas: 3, maxReplicas: 8}, image: {tag: v1}}",
			header + "api:\n  maxReplicas: 8\nimage:\n  tag: v1\n",
		},
		"a new file without values": {"", "{}", "{}", header + "{}\n"},
		"comments stay": {
			"# ours\nimage:\n  # see the release notes\n  tag: v1 # Monday's\napi: {replicas: 9} # for the fair\n",
			"{}",
			"{image: {tag: v2}, api: {replicas: 9}}",
			"# ours\nimage:\n  # see the release notes\n  tag: v2 # Monday's\napi: {replicas: 9} # for the fair\n",
		},
		"nothing differs": {
			"image: {tag: 'v1'}\n", "{api: {replicas: 3.0}}", "{image: {tag: v1}, api: {replicas: 3}}",
			"image: {tag: 'v1'}\n",
		},
		"what is not wanted stays": {"a: 1\nb: {c: 2}\n", "{}", "{b: {d: 3}}", "a: 1\nb: {c: 2, d: 3}\n"},
		"a list is one value":      {"a: [1, 2]\n", "{}", "{a: [2]}", "a:\n  - 2\n"},
		"only comments":            {"# nothing yet\n", "{}", "{a: 1}", "# nothing yet\na: 1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			under, err := helm.ParseValues([]byte(c.under), "")
			if err != nil {
				t.Fatal(err)
			}
			want, err := helm.ParseValues([]byte(c.want), "")
			if err != nil {
				t.Fatal(err)
			}
			got, err := edit([]byte(c.old), under, want)
			if err != nil || string(got) != c.text {
				t.Errorf("%v\n%s\nwant\n%s", err, got, c.text)
			}
		})
	}
	for _, text := range []string{"a: [", "- a\n"} {
		if _, err := edit([]byte(text), nil, map[string]any{"a": 1}); err == nil {
			t.Errorf("%q was edited", text)
		}
	}
}
