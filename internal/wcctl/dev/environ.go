package dev

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/migrate"
	"github.com/wastecoach/wastecoach/internal/modelprovider"
)

const (
	bucket       = "wastecoach-photos"
	openIDClient = "wastecoach-dev"
	// openIDApp is an app that logs in at the provider itself and brings an ID token.
	openIDApp = "wastecoach-app"
)

// LoopbackRedirect is where logins of the development provider end, with any port (RFC 8252, 7.3).
const LoopbackRedirect = "http://127.0.0.1/login"

// addresses are where the parts that the services stand on are.
type addresses struct {
	// Proxy is what clients use; Inside is the same for the services, and ends after them.
	Proxy, Inside string
	S3, OpenID    string
	Redis         string
	// Postgres returns the DSN of a role.
	Postgres func(role string) string
}

// environs returns for each service the variables that its binary takes, all but HTTP_ADDR.
func environs(cfg Config, s secrets, a addresses) (map[string][]string, error) {
	providers, err := json.Marshal([]map[string]any{{
		"id": "dev", "name": "Development", "issuer": a.OpenID, "client_id": openIDClient,
		"client_secret": s.OpenID, "redirect_uris": []string{LoopbackRedirect}, "interactive": false,
		"audiences": []string{openIDApp},
	}})
	if err != nil {
		return nil, fmt.Errorf("encoding the login provider: %w", err)
	}
	own := map[string]map[string]string{
		"auth": {"MASTER_KEY": s.MasterKey, "PROVIDERS": string(providers)},
		"waste": {
			"S3_ENDPOINT": a.S3, "S3_BUCKET": bucket,
			"S3_ACCESS_KEY": s.S3AccessKey, "S3_SECRET_KEY": s.S3SecretKey,
			"LOCATIONS_URL":           a.Inside,
			"WORKER_SHUTDOWN_TIMEOUT": cfg.Grace.String(),
		},
		"recycling": {"QUEUE_SHUTDOWN_TIMEOUT": cfg.Grace.String()},
		"users": {
			"S3_ENDPOINT": a.S3, "S3_BUCKET": bucket,
			"S3_ACCESS_KEY": s.S3AccessKey, "S3_SECRET_KEY": s.S3SecretKey,
		},
		"locations": {},
	}
	for _, peer := range []string{"auth", "waste", "recycling"} {
		own[peer]["INTERNAL_TOKEN"] = s.Internal[peer]
		own["users"][strings.ToUpper(peer)+"_INTERNAL_TOKEN"] = s.Internal[peer]
		own["users"][strings.ToUpper(peer)+"_URL"] = a.Inside + servicePrefix + peer
	}
	fallback := map[string]string{}
	for name, rate := range devLimits {
		fallback["HTTP_LIMIT_"+name] = rate
	}
	maps.Copy(own["waste"], model("VISION_", cfg.Vision, cfg.ModelLatency))
	maps.Copy(own["recycling"], model("LLM_", cfg.LLM, cfg.ModelLatency))
	all := map[string][]string{}
	for _, service := range migrate.Schemas() {
		vars, fallback := own[service], maps.Clone(fallback)
		if service == "waste" {
			fallback["VISION_PROVIDER"] = modelprovider.Local
		}
		maps.Copy(vars, map[string]string{
			"POSTGRES_DSN":       a.Postgres(service),
			"REDIS_ADDR":         a.Redis,
			"REDIS_PASSWORD":     s.Redis,
			"JWKS_URL":           a.Inside + "/api/v1/auth/.well-known/jwks.json",
			"HTTP_DRAIN_TIMEOUT": cfg.Grace.String(),
			// The proxy's address, and that of whoever asks a replica directly.
			"HTTP_TRUSTED_PROXIES": "127.0.0.0/8,::1/128",
		})
		all[service] = lines(strings.ToUpper(service)+"_", vars, fallback, cfg.Environ)
	}
	return all, nil
}

// devLimits count as in production, but do not stop one machine's benchmarks, which all are one user.
var devLimits = map[string]string{
	"ADDRESS": "6000000/1m", "READS": "6000000/1m", "WRITES": "600000/1m", "COSTLY": "600000/1m",
}

func model(prefix, provider string, latency *time.Duration) map[string]string {
	vars := map[string]string{}
	if provider != "" {
		vars[prefix+"PROVIDER"] = provider
	}
	if latency != nil {
		vars[prefix+"SIMULATOR_LATENCY"] = latency.String()
	}
	return vars
}

// lines adds the caller's variables of the service to ours: to vars, which win, and to the fallback,
// which loses.
func lines(prefix string, vars, fallback map[string]string, environ []string) []string {
	merged := map[string]string{}
	for name, value := range fallback {
		merged[prefix+name] = value
	}
	for _, line := range environ {
		key, value, _ := strings.Cut(line, "=")
		name, mine := strings.CutPrefix(key, prefix)
		_, known := vars[strings.TrimSuffix(name, "_FILE")]
		if mine && !known || key == "LOG_LEVEL" {
			merged[key] = value
		}
	}
	for name, value := range vars {
		merged[prefix+name] = value
	}
	all := make([]string, 0, len(merged))
	for _, key := range slices.Sorted(maps.Keys(merged)) {
		all = append(all, key+"="+merged[key])
	}
	return all
}

// WithAddr is the environment of one process of a service.
func WithAddr(environ []string, service, addr string) []string {
	return append(slices.Clip(environ), strings.ToUpper(service)+"_HTTP_ADDR="+addr)
}
