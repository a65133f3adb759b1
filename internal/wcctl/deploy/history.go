package deploy

import (
	"github.com/wastecoach/wastecoach/internal/wcctl/helm"
)

// Revision is one of a release's history, with its image where it has one.
type Revision struct {
	helm.Revision
	Image string `json:"image,omitempty"`
}

// History lists the revisions of a service, or of what services stand on, the oldest first.
func (d *Deployer) History(release string) ([]Revision, error) {
	namespace := release
	for _, p := range d.platform() {
		if p.name == release {
			namespace = p.space()
		}
	}
	found, err := d.Helm.History(namespace, release)
	if err != nil {
		return nil, err
	}
	revisions := make([]Revision, len(found))
	for i, r := range found {
		revisions[i] = Revision{Revision: r}
		if image := imageFrom(r.Values); image.Repository != "" {
			revisions[i].Image = image.String()
		}
	}
	return revisions, nil
}
