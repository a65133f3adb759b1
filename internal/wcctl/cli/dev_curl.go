package cli

import (
	"strings"

	"golang.org/x/oauth2"

	"github.com/wastecoach/wastecoach/internal/wcctl/dev"
)

// curlSession is the app's whole flow with nothing but bash, curl and coreutils.
func curlSession(info dev.Info) string {
	verifier := oauth2.GenerateVerifier()
	return strings.NewReplacer(
		"{{url}}", info.URL,
		"{{verifier}}", verifier,
		"{{challenge}}", oauth2.S256ChallengeFromVerifier(verifier),
		"{{redirect}}", dev.LoopbackRedirect,
	).Replace(curlScript)
}

// curlScript keeps to lines that a terminal takes when they are pasted one after the other.
const curlScript = `API={{url}}/api/v1 PHOTO=photo.jpg
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" | sed 's/\\u0026/\&/g'; }
json() { curl -sS -H 'Content-Type: application/json' -H "Authorization: Bearer $TOKEN" "$@"; echo; }

# log in: the provider answers for the development user without asking
STATE=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
LOGIN="$API/auth/dev/authorize?redirect_uri={{redirect}}&state=$STATE&code_challenge_method=S256"
BACK=$(curl -sL -o /dev/null -w '%{url_effective}' "$LOGIN&code_challenge={{challenge}}")
CODE=$(echo "$BACK" | sed 's/.*[?&]code=\([^&]*\).*/\1/; s/%2B/+/g; s/%2F/\//g; s/%3D/=/g')
TOKEN=$(json "$API/auth/dev/token" -d "{\"code\":\"$CODE\",\"state\":\"$STATE\",
  \"code_verifier\":\"{{verifier}}\",
  \"redirect_uri\":\"{{redirect}}\"}" | field access_token)

# announce the photo, then send it straight to S3 with the headers that were signed
SUM=$(sha256sum "$PHOTO" | cut -d' ' -f1) SIZE=$(wc -c < "$PHOTO")
TICKET=$(json "$API/waste/uploads" -d "{\"sha256\":\"$SUM\",\"size\":$SIZE,\"content_type\":\"image/jpeg\"}")
echo "$TICKET" | sed 's/.*"headers":{\([^}]*\)}.*/\1/; s/","/"\n"/g; s/\\u0026/\&/g' |
  sed 's/^"\([^"]*\)":"\(.*\)"$/header = "\1: \2"/' |
  curl -sS -f -K - --upload-file "$PHOTO" "$(echo "$TICKET" | field url)"

# ask for the analysis and poll until it has ended
ID=$(json "$API/waste/analyses" -H "Idempotency-Key: $STATE" \
  -d "{\"upload_id\":\"$(echo "$TICKET" | field upload_id)\",\"locale\":\"en\"}" |
  sed 's/.*"id":"\([0-9a-f-]\{36\}\)","status.*/\1/')
until JOB=$(json "$API/waste/analyses/$ID") && echo "$JOB" | head -c 110 && echo &&
  echo "$JOB" | grep -Eq '"status":"(succeeded|failed|canceled|expired)"'; do sleep 0.5; done
echo "$JOB"
`
