package cli

import "testing"

func TestHintsFindTheSameCluster(t *testing.T) {
	t.Parallel()
	named := &clusterFlags{file: clusterFile{flag: "seoul.yaml"}, stateDir: "my state"}
	const flags = " -f seoul.yaml --state-dir 'my state'"
	for _, c := range []struct {
		flags      *clusterFlags
		hint, want string
	}{
		{&clusterFlags{}, "wcctl up", "wcctl up"},
		{named, "kubectl get nodes\nwcctl doctor", "kubectl get nodes\nwcctl doctor" + flags},
		{named, "wcctl down && wcctl up # all", "wcctl down" + flags + " && wcctl up" + flags + " # all"},
		{named, "wcctl up --only metrics --again", "wcctl up" + flags + " --only metrics --again"},
		{named, "wcctl node list", "wcctl node list" + flags},
		{named, named.again("up"), "wcctl up" + flags},
		{named, "wcctl bundle create", "wcctl bundle create"},
	} {
		if got := c.flags.paste(c.hint); got != c.want {
			t.Errorf("%q becomes %q, want %q", c.hint, got, c.want)
		}
	}
}
