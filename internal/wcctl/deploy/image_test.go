package deploy

import "testing"

func TestImages(t *testing.T) {
	t.Parallel()
	const digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for text, want := range map[string]Image{
		"wastecoach.io/waste:1":       {Repository: "wastecoach.io/waste", Tag: "1"},
		"localhost:5000/a/waste:1":    {Repository: "localhost:5000/a/waste", Tag: "1"},
		"localhost:5000/a/waste":      {Repository: "localhost:5000/a/waste", Tag: "latest"},
		"waste":                       {Repository: "waste", Tag: "latest"},
		"ghcr.io/you/waste@" + digest: {Repository: "ghcr.io/you/waste", Digest: digest},
	} {
		if got := splitImage(text); got != want {
			t.Errorf("%s is %+v", text, got)
		}
	}
	for text, ok := range map[string]bool{
		"wastecoach.io/waste:1": true, "ghcr.io/you/waste@" + digest: true, "waste": false,
		"ghcr.io/you/waste": false, "ghcr.io/you/waste@sha256:12": false, "no image": false,
	} {
		got, err := ParseImage(text)
		if (err == nil) != ok || ok && got.String() != text {
			t.Errorf("%s is %+v, %v", text, got, err)
		}
	}
	if got := (Image{Digest: digest}).version(); got != "e3b0c44298fc" {
		t.Errorf("its version is %s", got)
	}
}
