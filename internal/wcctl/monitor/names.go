package monitor

import "slices"

// place is where a part of the system is in a cluster.
type place struct {
	// pool is the service, or <service>-worker.
	pool, namespace string
	// selector chooses its pods by their labels.
	selector string
	port     int
}

// secretRef names one value of a secret.
type secretRef struct{ namespace, name, key string }

// What the charts call things: this is the one place that knows.
const (
	httpPort  = 8080
	redisPort = 6379
)

// places are the services and worker pools.
func places() []place {
	of := func(pool, namespace, component string) place {
		return place{
			pool: pool, namespace: namespace, port: httpPort,
			selector: "app.kubernetes.io/name=" + namespace + ",app.kubernetes.io/component=" + component,
		}
	}
	return []place{
		of("auth", "auth", "api"), of("users", "users", "api"),
		of("waste", "waste", "api"), of("waste-worker", "waste", "worker"),
		of("recycling", "recycling", "api"), of("recycling-worker", "recycling", "worker"),
		of("locations", "locations", "api"),
	}
}

var (
	redisPlace = place{
		pool: "redis", namespace: "data", selector: "app.kubernetes.io/name=redis", port: redisPort,
	}
	redisPassword = secretRef{"data", "redis", "password"}
	wasteToken    = secretRef{"waste", "waste", "WASTE_INTERNAL_TOKEN"}
)

// wastePlace is the service that has the jobs.
func wastePlace() place {
	all := places()
	return all[slices.IndexFunc(all, func(p place) bool { return p.pool == "waste" })]
}
