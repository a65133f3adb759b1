package cli

import (
	"errors"

	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// owner is what tells the cluster from another one, which may not be worked on in its state folder.
func owner(c *spec.Cluster) workspace.Owner {
	o := workspace.Owner{"metadata.name": c.Metadata.Name, "spec.target": string(c.Spec.Target)}
	switch {
	case c.Spec.AWS != nil:
		o["spec.aws.region"] = c.Spec.AWS.Region
	case c.Spec.Hosts != nil:
		o["spec.hosts.controlPlane.name"] = c.Spec.Hosts.ControlPlane.Name
	}
	return o
}

// open loads the file and finds the state folder, which must not be another cluster's.
func (f *clusterFlags) open(con *console) (*spec.Cluster, workspace.Folder, error) {
	cluster, err := f.file.load(con)
	if err != nil {
		return nil, "", err
	}
	folder, err := f.folder(con)
	if err != nil {
		return nil, "", err
	}
	err = folder.BelongsTo(owner(cluster))
	var other *workspace.OtherClusterError
	if errors.As(err, &other) {
		elsewhere := clusterFlags{file: f.file, stateDir: workspace.FolderName + "-" + cluster.Metadata.Name}
		return nil, "", &Error{
			Cause: err,
			Hint: "wcctl config show" + fileArgument(f.file.path(con)) + " # the same cluster: put it back\n" +
				elsewhere.again("up") + " # another one: in a folder of its own",
		}
	}
	return cluster, folder, err
}
